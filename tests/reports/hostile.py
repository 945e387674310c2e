"""Texts that try to break a page, and results with them in every place that a user can write to."""

import json
from typing import get_type_hints

import test_combined
import test_explanation_pages as explanations
import test_geco_page as benchmark
import test_isotropy_pages as spaces
import test_pages as corpora

from xembed._core.results import UserText
from xembed._core.schemas import class_of
from xembed.reports import compare_results, render_page
from xembed.reports._write import combine

LONG = "w" * 10_000
IMAGE = "<img src=x onerror='window.hacked=1'>"
# Every one is text to be read, and nothing else.
STRINGS = (
    "<script>window.hacked=2</script>",
    "</script><script>window.hacked=3</script>",
    IMAGE,
    "\"'><svg onload=window.hacked=4>",
    "\" autofocus onfocus=\"window.hacked=5",
    "{{ 7 * 7 }}{% raw %}${window.hacked=6}",
    "<!-- <script> unfinished ]]>",
    "=HYPERLINK(\"http://example.invalid\")",
    "\u202eturned\u202d \u2066around",
    "عربي نص من اليمين إلى اليسار",
    "👩‍👩‍👧‍👦 e\u0301\u0323 \U0001f3f4\U000e0067\U000e0062\U000e007f",
    "\u2028separators\u2029\x85",
    LONG,
    "&lt;escaped&gt; &amp; &#x3c;b&#x3e; &copy",
    "<a href='javascript:window.hacked=7'>click</a>",
    "\x00\x01\x08\x1b[31m\x7f\ufeff\ufffe",
    "<b>bold</b><br><i>x</i><sub>y</sub>%{customdata}",
    "__proto__ constructor toString null NaN",
    "a\tb\r\nc\x0bd",
    "</title></style></textarea><base href=http://example.invalid><meta http-equiv=refresh content=0>",
)  # fmt: skip
NAMES = (f"{LONG} {IMAGE}", "</script><b>\u202eG</b> \"' {{ 7 * 7 }} عربي")

_OWN = {"", "raw", "none", "mean", "all", "F", "G", "texts", "reference", "stream"}
# Beside what a result's class marks as UserText: what a function was called with, and what an encoder says of itself.
_OPEN = ("encoder", "parameters", "notes")


def infect(data):
    """Return the plain data of a result with hostile strings for all texts of users, equal ones for equal ones."""
    given = dict.fromkeys(text for text in _texts(data) if text not in _OWN)
    said = "\n".join(_others(data))
    replaced, names = {}, {}
    for text in given:
        place = len(replaced)
        replaced[text] = f"{STRINGS[place % len(STRINGS)]} {place}"
        if f"“{text}”" in said or text in (*data.get("names", ()), *data.get("classes", ())):
            replaced[text] = names[text] = NAMES[len(names)] if len(names) < 2 else replaced[text]
    return _replaced(data, replaced, names)


def _marked(data):
    """Return the fields of plain data that hold texts of users."""
    if "schema" not in data or data["schema"].count(".") != 2:
        return set(_OPEN)
    hints = get_type_hints(class_of(data, "data"), include_extras=True)
    return {*_OPEN, *(name for name, hint in hints.items() if UserText in getattr(hint, "__metadata__", ()))}


def _texts(data):
    for field, value in data.items():
        if field in _marked(data):
            yield from _strings(value, keys=field not in _OPEN)
        else:
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict):
                    yield from _texts(one)


def _others(data):
    for field, value in data.items():
        if field not in _marked(data):
            for one in value if isinstance(value, list) else [value]:
                yield from [one] if isinstance(one, str) else _others(one) if isinstance(one, dict) else []


def _strings(value, keys=False):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
    elif isinstance(value, dict):
        yield from value if keys else ()
        for one in value.values():
            yield from _strings(one)


def _replaced(value, texts, names):
    """Exchange texts where a class says that they are, and names everywhere: they are keys, and in sentences."""
    if isinstance(value, list):
        return [_replaced(one, texts, names) for one in value]
    if isinstance(value, dict):
        marked = _marked(value)
        return {
            names.get(key, key): _exchanged(one, texts if key not in _OPEN else {}, texts)
            if key in marked
            else _replaced(one, texts, names)
            for key, one in value.items()
        }
    if not isinstance(value, str):
        return value
    if value in names:
        return names[value]
    for old, new in names.items():  # in verdicts and warnings
        value = value.replace(f"“{old}”", f"“{new}”")
    return value


def _exchanged(value, keys, texts):
    if isinstance(value, list):
        return [_exchanged(one, keys, texts) for one in value]
    if isinstance(value, dict):
        return {keys.get(key, key): _exchanged(one, {}, texts) for key, one in value.items()}
    return texts.get(value, value) if isinstance(value, str) else value


_MAKERS = {
    **{kind: lambda kind=kind: corpora.make(kind) for kind in corpora.KINDS},
    **{("explained_" if kind in ("shift", "depth") else "") + kind: one for kind, one in explanations.MAKERS.items()},
    **{kind: lambda kind=kind: spaces.made(kind) for kind in spaces.KINDS},
    "geco": lambda: benchmark.RESULT,
}
# What has figures or a layout of its own has its own page; the rest is on one page, which tries combined pages, too.
OWN = (
    "shift", "drift", "many", "explained_depth", "explained_shift", "similarity", "trust", "axes", "attributions",
    "geco", "diagnosis", "defsentplus",
)  # fmt: skip
TOGETHER = (
    "rank_sum", "test", "regions", "terms", "surface", "coverage", "self_check", "outliers", "isotropy", "corrections",
    "layers", "sts", "hubness", "outlier_dimensions", "overlap", "probe", "health",
)  # fmt: skip
PAGES = (*OWN, "combined", "comparison")


def data_of(page):
    """Return the plain data of a hostile page."""
    if page == "combined":
        data = combine([_MAKERS[kind]() for kind in TOGETHER])
        return data | {"title": " ".join(STRINGS), "parts": [infect(part) for part in data["parts"]]}
    if page == "comparison":
        runs = test_combined.a_shift(), test_combined.a_shift(move=1.0)
        return compare_results(*(type(run).from_json(json.dumps(infect(run.to_dict()))) for run in runs))
    return infect(_MAKERS[page]().to_dict())


def html_of(page):
    """Return a hostile page."""
    return render_page(data_of(page))
