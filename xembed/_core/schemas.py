"""From the schema of data, ``xembed.<package>.<class>/<version>``, to the class that reads them: no table lists it."""

from __future__ import annotations

import importlib
import re
from reprlib import repr as brief
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xembed._core.results import Result

_SCHEMA = re.compile(r"xembed\.([a-z]\w*)\.([A-Z]\w*)/(\d{1,9})")
_SEVERAL = ("xembed.combined/1", "xembed.comparison/1")  # pages of several results

# What the first edition called them. Its files stay readable.
_FIRST_EDITION: dict[str, dict[str, str]] = {
    "attribution": {
        "attributions": "Attributions", "deletion_trust": "DeletionTrust", "depth_explanation": "DepthExplanation",
        "method_health": "MethodHealth", "method_status": "MethodStatus", "method_trust": "MethodTrust",
        "pair_shapley": "PairShapley", "planted_example": "PlantedExample", "shift_component": "ShiftComponent",
        "shift_example": "ShiftExample", "shift_explanation": "ShiftExplanation", "shift_term": "ShiftTerm",
        "similarity_explanation": "SimilarityExplanation", "trust": "TrustResult",
    },
    "concepts": {"axes_explanation": "AxesExplanation", "paired_shift": "PairedShift"},
    "defsent": {"defsent": "DefSentResult", "defsent_round": "TrainingRound"},
    "depth": {"outliers": "OutlierResult"},
    "geco": {
        "geco": "BenchmarkResult", "geco_form_difference": "FormDifference", "geco_row": "LeaderboardRow",
        "geco_scheme": "SchemeRow", "geco_score": "Score", "geco_training": "TrainingRecord",
        "prediction_gap": "PredictionGap", "pseudo_log_likelihood": "PseudoLogLikelihood",
        "word_cooccurrence": "WordCooccurrence",
    },
    "isotropy": {
        "correction_row": "CorrectionRow", "corrections": "CorrectionsResult", "cosine_histogram": "CosineHistogram",
        "diagnosis": "Diagnosis", "gain": "Gain", "hub": "Hub", "hubness": "HubnessResult",
        "isotropy": "IsotropyResult", "layer": "LayerRow", "layers": "LayerProfile", "measure": "Measure",
        "neighbor_overlap": "NeighborOverlap", "outlier_dimensions": "OutlierDimensions", "probe": "ProbeResult",
        "sts": "STSResult", "sts_correlation": "STSCorrelation",
    },
    "shift": {
        "coverage": "CoverageResult", "drift": "DriftResult", "facet": "Facet", "many": "ManyResult",
        "rank_sum": "RankSumResult", "region": "Region", "regions": "RegionsResult", "self_check": "SelfCheck",
        "shift": "ShiftResult", "surface": "SurfaceResult", "surface_feature": "SurfaceFeature", "term": "Term",
        "terms": "TermsResult", "test": "TestResult",
    },
}  # fmt: skip
FIRST_EDITION = {
    f"xembed.{old}/1": f"xembed.{package}.{name}/1"
    for package, names in _FIRST_EDITION.items()
    for old, name in names.items()
}


def current_schema(schema: Any) -> Any:
    """Return today's name of a schema of the first edition, and any other as it is."""
    return FIRST_EDITION.get(schema, schema) if isinstance(schema, str) else schema


def result_classes() -> dict[str, type[Result]]:
    """Return the class of every schema. Imports all packages: for documentation and tests."""
    import xembed
    from xembed._core.results import Result

    packages = [getattr(xembed, name) for name in dir(xembed) if isinstance(getattr(xembed, name), ModuleType)]
    names = [getattr(package, name) for package in packages for name in dir(package)]
    return {kind.schema: kind for kind in names if isinstance(kind, type) and issubclass(kind, Result)}


def class_of(data: Any, where: str) -> type[Result]:
    """Return the class of the result that plain data are of; ``where`` says what they are from."""
    import xembed
    from xembed._core.results import Result

    schema = data.get("schema") if isinstance(data, dict) else None
    match = _SCHEMA.fullmatch(current_schema(schema)) if isinstance(schema, str) else None
    # Only public subpackages are imported: the name comes from a file.
    if match is not None and match[1] in dir(xembed):
        kind = getattr(importlib.import_module(f"xembed.{match[1]}"), match[2], None)
        if isinstance(kind, type) and issubclass(kind, Result) and kind.schema == match[0]:
            return kind
        if isinstance(kind, type) and issubclass(kind, Result) and int(match[3]) > int(kind.schema.rpartition("/")[2]):
            raise ValueError(
                f"{where} is of a later xembed: its schema is {schema!r}, and this version reads {kind.schema!r}. "
                "Upgrade xembed to read it."
            )
    if schema in _SEVERAL:
        raise ValueError(
            f"{where} must hold a single result. Got {schema!r}, the data of a page of several: `xembed report` makes "
            "the page again."
        )
    raise ValueError(
        f"{where} must hold a result of xembed, whose schema is a name such as 'xembed.shift.ShiftResult/1'. "
        f"Got {brief(data if schema is None else schema)}."
    )
