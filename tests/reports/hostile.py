"""Texts that try to break a page, and results with them in every place that a user can write to."""

import json
import re

import test_combined
import test_explanation_pages as explanations
import test_geco_page as benchmark
import test_isotropy_pages as spaces
import test_pages as corpora

from xembed.reports import compare_results, render_page
from xembed.reports._several import combine

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

# Where texts of users lie in the data of results; the other strings are the project's own.
_TEXTS = re.compile(
    r"\.(texts(_F|_G)?|typical_texts|words(_a|_b)?|by_counts_[FG]|off_topic|notes|terms)(\[\])*$"
    r"|\.(text(_a|_b)?|term|corpus|why|description|backbone|data|fit_on|measured_on)$|\.rows\[\]\.reason$"
    r"|\.encoder\.\w+$|\.provenance\.parameters\..*|\.(regions|components)\[\]\.label$"
)
_NAMES = re.compile(r"\.(names|classes)\[\]$|\.(sets|rows|corrections\.rows)\[\]\.name$|\.(tune|test|sts)\[\]$")
_OWN = {"", "raw", "none", "mean", "all", "F", "G", "texts", "reference", "stream"}


def infect(data):
    """Return the plain data of a result with hostile strings for all texts of users, equal ones for equal ones."""
    texts, names = {}, {}
    if data["schema"] == "xembed.isotropy.Diagnosis/1":
        names[data["name"]] = NAMES[0]
    for path, value in _strings(data, ""):
        if value in _OWN:
            continue
        if _NAMES.search(path):
            place = len(names)
            names.setdefault(value, NAMES[place] if place < 2 else f"{STRINGS[place % len(STRINGS)]} name")
        elif _TEXTS.search(path):
            texts.setdefault(value, f"{STRINGS[len(texts) % len(STRINGS)]} {len(texts)}")
    return _replaced(data, "", texts, names)


def _strings(value, path):
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one, f"{path}[]")
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _strings(one, f"{path}.{key}")


def _replaced(value, path, texts, names):
    if isinstance(value, list):
        return [_replaced(one, f"{path}[]", texts, names) for one in value]
    if isinstance(value, dict):
        return {names.get(key, key): _replaced(one, f"{path}.{key}", texts, names) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    if value in names:
        return names[value]
    if value in texts and (_TEXTS.search(path) or _NAMES.search(path)):
        return texts[value]
    for old, new in names.items():  # in verdicts and warnings
        value = value.replace(f"“{old}”", f"“{new}”")
    return value


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
    "layers", "sts", "hubness", "outlier_dimensions", "overlap", "probe",
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
