"""Is an embedding space sound, and can it be repaired? Measures, corrections, and what they do to a task."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from xembed.isotropy._compare_result import CorrectionRow, CorrectionsResult, Gain
from xembed.isotropy._cosine import OutlierDimensions, alignment, average_cosine, outlier_dimensions, uniformity
from xembed.isotropy._diagnosis import Diagnosis, Hub
from xembed.isotropy._evaluation_result import NeighborOverlap, ProbeResult
from xembed.isotropy._isotropy_result import CosineHistogram, IsotropyResult, Measure
from xembed.isotropy._layers_result import LayerProfile, LayerRow
from xembed.isotropy._measure import measure
from xembed.isotropy._neighborhood import HubnessResult, hubness, intrinsic_dimension
from xembed.isotropy._partition import partition_isotropy
from xembed.isotropy._spectrum import effective_rank, isoscore, participation_ratio, rankme
from xembed.isotropy._sts_result import STSCorrelation, STSResult

# Result classes are imported above, so that `xembed.read_result` finds their schemas. Their modules load nothing heavy.

# All other names are loaded when they are asked for: name -> module.
_MODULES = {
    "AllButTheTop": "xembed.isotropy._corrections",
    "ClusterIsotropy": "xembed.isotropy._cluster_isotropy",
    "ICAProjection": "xembed.isotropy._ica",
    "Standardize": "xembed.isotropy._corrections",
    "Whitening": "xembed.isotropy._whitening",
    "WrappedEncoder": "xembed.isotropy._wrap",
    "compare_corrections": "xembed.isotropy._compare",
    "default_corrections": "xembed.isotropy._default_corrections",
    "diagnose": "xembed.isotropy._diagnose",
    "evaluate_sts": "xembed.isotropy._sts",
    "layer_profile": "xembed.isotropy._layers",
    "linear_probe": "xembed.isotropy._evaluation",
    "load_correction": "xembed.isotropy._correction_files",
    "neighbor_overlap": "xembed.isotropy._evaluation",
    "wrap": "xembed.isotropy._wrap",
}

__all__ = [
    "AllButTheTop",
    "ClusterIsotropy",
    "CorrectionRow",
    "CorrectionsResult",
    "CosineHistogram",
    "Diagnosis",
    "Gain",
    "Hub",
    "HubnessResult",
    "ICAProjection",
    "IsotropyResult",
    "LayerProfile",
    "LayerRow",
    "Measure",
    "NeighborOverlap",
    "OutlierDimensions",
    "ProbeResult",
    "STSCorrelation",
    "STSResult",
    "Standardize",
    "Whitening",
    "WrappedEncoder",
    "alignment",
    "average_cosine",
    "compare_corrections",
    "default_corrections",
    "diagnose",
    "effective_rank",
    "evaluate_sts",
    "hubness",
    "intrinsic_dimension",
    "isoscore",
    "layer_profile",
    "linear_probe",
    "load_correction",
    "measure",
    "neighbor_overlap",
    "outlier_dimensions",
    "participation_ratio",
    "partition_isotropy",
    "rankme",
    "uniformity",
    "wrap",
]

if TYPE_CHECKING:
    pass


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'xembed.isotropy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
