"""What the pages of embedding spaces say under "Methods"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xembed.isotropy._metrics import METRICS
from xembed.reports.kit import Block, Data, Definitions, method, methods_of

how = methods_of("xembed.isotropy._pages")

_GAIN = (
    "; a gain is the difference to raw embeddings on the same resamples, so its interval is narrower than those of the "
    "two correlations"
)


def describe(names: Iterable[str]) -> list[Block]:
    """Say what measures are."""
    metrics = [METRICS[name] for name in dict.fromkeys(names) if name in METRICS]
    if not metrics:
        return []
    cites = [key for metric in metrics for key in metric.cites]
    terms = Definitions([(metric.label, metric.meaning) for metric in metrics])
    return [method("Measures", "What each one is:", *cites), terms]


def of_measures(measures: Sequence[Data]) -> list[Block]:
    """Say what measures are, and how their intervals were made."""
    names = [measure["name"] for measure in measures]
    blocks = describe(names)
    if "average_cosine" in names:
        blocks.append(how("mean_direction"))
    if any(measure["low"] is not None for measure in measures):
        blocks.append(how("intervals"))
    return blocks


def of_space(measures: Sequence[Data], compared: Data | None, layers: Data | None) -> list[Block]:
    """Return the methods of a space that is measured, corrected and taken from layers."""
    rows = [row for part in (compared, layers) if part is not None for row in part["rows"]]
    blocks = of_measures([*measures, *(measure for row in rows for measure in row["measures"])])
    descriptions = []
    if (compared and (compared["tune"] or compared["test"])) or (layers and layers["sts"]):
        blocks.append(how("correlations", gain="" if compared is None else _GAIN))
    if compared is not None:
        blocks += [how("probe")] if compared["rows"][0]["probe"] is not None else []
        blocks += [how("neighbors"), how("recommendation")]
        descriptions += [row["description"] for row in compared["rows"]]
    if layers is not None:
        blocks.append(how("layers"))
        descriptions += layers["corrections"].values()
    return [*blocks, *_corrections(descriptions), how("limits")]


def _corrections(descriptions: Sequence[str]) -> list[Block]:
    """Say what the corrections of such descriptions, for example 'Standardize()', do."""
    from xembed import transforms

    names = sorted({text.split("(")[0] for text in descriptions} & set(dir(transforms)))
    kinds = [kind for name in names if hasattr(kind := getattr(transforms, name), "meaning")]
    cites = [key for kind in kinds for key in kind.cites]
    return [method("Corrections", " ".join(kind.meaning for kind in kinds), *cites)] if kinds else []
