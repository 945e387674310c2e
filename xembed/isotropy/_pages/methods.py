"""What the pages of embedding spaces say under "Methods"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xembed.isotropy._metrics import METRICS
from xembed.reports.kit import Block, Data, Definitions, method

LIMITS = method(
    "Limits",
    "All numbers are of these texts. Texts that repeat each other or come in groups make intervals too narrow.",
)
PROBE = method(
    "Linear probe",
    "Logistic regression on standardized dimensions, cross-validated: each text is classified by a model that has not "
    "seen it. Intervals are those of the bootstrap of texts, with the classifiers as they are. An invertible linear "
    "correction takes nothing away that a linear classifier could not get back.",
)
NEIGHBORS = method(
    "Neighbors kept",
    "The share of the nearest neighbors of a text, by cosine, that it has in both spaces; the mean of all texts.",
)
_MEAN_DIRECTION = method(
    "The average cosine measures the mean vector, not isotropy",
    "If the same vector is added to all embeddings, it moves from near 0 to near 1, and the covariance stays as it "
    "was. Measures of the spectrum see the spread around the mean and nothing of the mean. So they can move in "
    "opposite directions.",
)
_INTERVALS = method(
    "Intervals of measures",
    "They are made from random half-samples of the texts without replacement: around its mean a measure varies from "
    "half to half as that of all texts varies around its expectation. The bootstrap would not do, because repeated "
    "texts narrow the spectrum and are each other's neighbors. Intervals of plain measures are about what such "
    "measures have on average at this number of texts, so they do not correct a bias.",
)
_RECOMMENDATION = method(
    "Recommendation",
    "Corrections are fitted on texts of their own. The one with the best score on the data for the choice is taken; it "
    "is recommended only if its gain on the test data, which had no part in the choice, has an interval above 0. "
    "Otherwise the embeddings are best kept as they are. Isotropy has no part in it: a more isotropic space can be "
    "worse for a task.",
)
_LAYERS = method(
    "Layers",
    "All layers come from one pass of each text through the model. A layer that is chosen because it is best on some "
    "pairs will do a little worse on others.",
)


def describe(names: Iterable[str]) -> list[Block]:
    """Say what measures are."""
    metrics = [METRICS[name] for name in dict.fromkeys(names) if name in METRICS]
    if not metrics:
        return []
    cites = [key for metric in metrics for key in metric.cites]
    return [
        method("Measures", "What each one is:", *cites),
        Definitions([(metric.label, metric.meaning) for metric in metrics]),
    ]


def of_measures(measures: Sequence[Data]) -> list[Block]:
    """Say what measures are, and how their intervals were made."""
    names = [measure["name"] for measure in measures]
    intervals = any(measure["low"] is not None for measure in measures)
    return [
        *describe(names),
        *([_MEAN_DIRECTION] if "average_cosine" in names else []),
        *([_INTERVALS] if intervals else []),
    ]


def correlations(gains: bool) -> Block:
    """Say what correlations with human scores are, and their gains if there are any."""
    gain = (
        "; a gain is the difference to raw embeddings on the same resamples, so its interval is narrower than those of "
        "the two correlations"
    )
    return method(
        "Correlations",
        "The similarity of the embeddings of each pair is compared with the human score by Spearman's rank "
        "correlation, × 100 as in papers. Intervals of correlations are those of the bootstrap of pairs"
        f"{gain if gains else ''}. They say how much another sample of pairs of the same kind would change the number, "
        "and nothing about other texts.",
    )


def of_space(measures: Sequence[Data], compared: Data | None, layers: Data | None) -> list[Block]:
    """Return the methods of a space that is measured, corrected and taken from layers."""
    rows = [row for part in (compared, layers) if part is not None for row in part["rows"]]
    descriptions = [] if compared is None else [row["description"] for row in compared["rows"]]
    blocks = of_measures([*measures, *(measure for row in rows for measure in row["measures"])])
    if (compared and (compared["tune"] or compared["test"])) or (layers and layers["sts"]):
        blocks.append(correlations(gains=compared is not None))
    if compared is not None:
        blocks += [PROBE] if compared["rows"][0]["probe"] is not None else []
        blocks += [NEIGHBORS, _RECOMMENDATION]
    if layers is not None:
        descriptions += layers["corrections"].values()
    return [*blocks, *_corrections(descriptions), *([_LAYERS] if layers is not None else []), LIMITS]


def _corrections(descriptions: Sequence[str]) -> list[Block]:
    """Say what the corrections of such descriptions, for example 'Standardize()', do."""
    from xembed import transforms

    names = sorted({text.split("(")[0] for text in descriptions} & set(dir(transforms)))
    kinds = [kind for name in names if hasattr(kind := getattr(transforms, name), "meaning")]
    if not kinds:
        return []
    cites = [key for kind in kinds for key in kind.cites]
    return [method("Corrections", " ".join(kind.meaning for kind in kinds), *cites)]
