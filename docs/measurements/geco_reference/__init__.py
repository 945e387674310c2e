"""GECOBench's own code, repeated with its faults, so that its published figures can be checked; never to judge methods.

    cd docs/measurements
    python -m geco_reference --geco DATA/geco --model bert-base-uncased --out reference.html

`reference_attributions` explains rows by its recipe, `reference_metrics` scores one text as its evaluation does, and
`ReferenceBenchmark` is `xembed.geco.Benchmark` with those explanations. Without arguments the command runs on the
sentences and the encoder that come with xembed.

Written from a description of what that code computes: R. Wilming et al. "GECOBench: A Gender-Controlled Text Dataset
and Benchmark for Quantifying Biases in Explanations". https://arxiv.org/abs/2406.11547
"""

from geco_reference.benchmark import ReferenceBenchmark
from geco_reference.explanations import REFERENCE_METHODS, reference_attributions
from geco_reference.metrics import reference_metrics

__all__ = ["REFERENCE_METHODS", "ReferenceBenchmark", "reference_attributions", "reference_metrics"]
