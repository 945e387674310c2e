"""The benchmark with explanations by the published recipe."""

import dataclasses
from pathlib import Path

from geco_reference.explanations import REFERENCE_METHODS
from xembed.geco import Benchmark
from xembed.geco._run import ConditionRun


class ReferenceRun(ConditionRun):
    """A run that computes all its methods, valid or not, as published."""

    def valid(self, health):
        return list(self.settings.methods)

    def method(self, name):
        return REFERENCE_METHODS[name]


class ReferenceBenchmark(Benchmark):
    """`Benchmark` by the published recipe: methods that it does not have are left out of 'all'."""

    run_type = ReferenceRun
    reference_mode = "gecobench"

    def __init__(self, data, *, methods="all", **options):
        if methods != "all" and (unknown := sorted({*methods} - {*REFERENCE_METHODS})):
            raise ValueError(
                f"The 'methods' of ReferenceBenchmark must be of {tuple(REFERENCE_METHODS)}. Got {unknown} too."
            )
        super().__init__(data, methods=[*REFERENCE_METHODS] if methods == "all" else methods, **options)

    def run(self, out_dir, **options):
        result = super().run(out_dir, **options)
        result = dataclasses.replace(result, options=result.options | {"reference_mode": self.reference_mode})
        result.to_json(Path(out_dir) / "result.json")
        return result

    def describe(self):
        described = super().describe()
        return described | {"settings": described["settings"] | {"reference_mode": self.reference_mode}}
