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
FIRST_EDITION = {
    "xembed.attributions/1": "xembed.attribution.Attributions/1",
    "xembed.axes_explanation/1": "xembed.concepts.AxesExplanation/1",
    "xembed.correction_row/1": "xembed.isotropy.CorrectionRow/1",
    "xembed.corrections/1": "xembed.isotropy.CorrectionsResult/1",
    "xembed.cosine_histogram/1": "xembed.isotropy.CosineHistogram/1",
    "xembed.coverage/1": "xembed.shift.CoverageResult/1",
    "xembed.defsent/1": "xembed.defsent.DefSentResult/1",
    "xembed.defsent_round/1": "xembed.defsent.TrainingRound/1",
    "xembed.deletion_trust/1": "xembed.attribution.DeletionTrust/1",
    "xembed.depth_explanation/1": "xembed.attribution.DepthExplanation/1",
    "xembed.diagnosis/1": "xembed.isotropy.Diagnosis/1",
    "xembed.drift/1": "xembed.shift.DriftResult/1",
    "xembed.facet/1": "xembed.shift.Facet/1",
    "xembed.gain/1": "xembed.isotropy.Gain/1",
    "xembed.geco/1": "xembed.geco.BenchmarkResult/1",
    "xembed.geco_form_difference/1": "xembed.geco.FormDifference/1",
    "xembed.geco_row/1": "xembed.geco.LeaderboardRow/1",
    "xembed.geco_scheme/1": "xembed.geco.SchemeRow/1",
    "xembed.geco_score/1": "xembed.geco.Score/1",
    "xembed.geco_training/1": "xembed.geco.TrainingRecord/1",
    "xembed.hub/1": "xembed.isotropy.Hub/1",
    "xembed.hubness/1": "xembed.isotropy.HubnessResult/1",
    "xembed.isotropy/1": "xembed.isotropy.IsotropyResult/1",
    "xembed.layer/1": "xembed.isotropy.LayerRow/1",
    "xembed.layers/1": "xembed.isotropy.LayerProfile/1",
    "xembed.many/1": "xembed.shift.ManyResult/1",
    "xembed.measure/1": "xembed.isotropy.Measure/1",
    "xembed.method_health/1": "xembed.attribution.MethodHealth/1",
    "xembed.method_status/1": "xembed.attribution.MethodStatus/1",
    "xembed.method_trust/1": "xembed.attribution.MethodTrust/1",
    "xembed.neighbor_overlap/1": "xembed.isotropy.NeighborOverlap/1",
    "xembed.outlier_dimensions/1": "xembed.isotropy.OutlierDimensions/1",
    "xembed.outliers/1": "xembed.depth.OutlierResult/1",
    "xembed.pair_shapley/1": "xembed.attribution.PairShapley/1",
    "xembed.paired_shift/1": "xembed.concepts.PairedShift/1",
    "xembed.planted_example/1": "xembed.attribution.PlantedExample/1",
    "xembed.prediction_gap/1": "xembed.geco.PredictionGap/1",
    "xembed.probe/1": "xembed.isotropy.ProbeResult/1",
    "xembed.pseudo_log_likelihood/1": "xembed.geco.PseudoLogLikelihood/1",
    "xembed.rank_sum/1": "xembed.shift.RankSumResult/1",
    "xembed.region/1": "xembed.shift.Region/1",
    "xembed.regions/1": "xembed.shift.RegionsResult/1",
    "xembed.self_check/1": "xembed.shift.SelfCheck/1",
    "xembed.shift/1": "xembed.shift.ShiftResult/1",
    "xembed.shift_component/1": "xembed.attribution.ShiftComponent/1",
    "xembed.shift_example/1": "xembed.attribution.ShiftExample/1",
    "xembed.shift_explanation/1": "xembed.attribution.ShiftExplanation/1",
    "xembed.shift_term/1": "xembed.attribution.ShiftTerm/1",
    "xembed.similarity_explanation/1": "xembed.attribution.SimilarityExplanation/1",
    "xembed.sts/1": "xembed.isotropy.STSResult/1",
    "xembed.sts_correlation/1": "xembed.isotropy.STSCorrelation/1",
    "xembed.surface/1": "xembed.shift.SurfaceResult/1",
    "xembed.surface_feature/1": "xembed.shift.SurfaceFeature/1",
    "xembed.term/1": "xembed.shift.Term/1",
    "xembed.terms/1": "xembed.shift.TermsResult/1",
    "xembed.test/1": "xembed.shift.TestResult/1",
    "xembed.trust/1": "xembed.attribution.TrustResult/1",
    "xembed.word_cooccurrence/1": "xembed.geco.WordCooccurrence/1",
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
