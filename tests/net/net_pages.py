"""Cases of the pages: what a reader sees, and the numbers of the figures, of results that the first edition wrote."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from net_record import own_folder, variants

import xembed

_FOLDER = Path(__file__).resolve().parents[1] / "results_of_first_edition"
_WITHOUT_PAGE = {
    "geco_training", "method_health", "pair_shapley", "paired_shift", "prediction_gap", "pseudo_log_likelihood",
    "word_cooccurrence",
}  # fmt: skip
_FIGURE = re.compile(r'<script type="application/json" id="([^"]*)">(.*?)</script>', re.DOTALL)
_INLINE = {"a", "b", "bdi", "code", "em", "i", "span", "strong", "sub", "sup", "svg", "text", "title"}


class _Reader(HTMLParser):
    """The visible texts of a page, a list of blocks."""

    def __init__(self):
        super().__init__()
        self.blocks, self.silent = [""], 0

    def handle_starttag(self, tag, attributes):
        self.silent += tag in ("script", "style")
        self._end(tag)

    def handle_endtag(self, tag):
        self.silent -= tag in ("script", "style")
        self._end(tag)

    def _end(self, tag):
        if tag not in _INLINE and self.blocks[-1].strip():
            self.blocks.append("")

    def handle_data(self, data):
        if not self.silent:
            self.blocks[-1] += data


def read_page(page):
    """Return the texts and the figures of a page."""
    reader = _Reader()
    reader.feed(page)
    return {
        "texts": [" ".join(block.split()) for block in reader.blocks if block.strip()],
        "figures": {name: _unpacked(json.loads(figure)) for name, figure in _FIGURE.findall(page)},
    }


def _unpacked(value):
    """Return a figure with its arrays as lists."""
    if isinstance(value, list):
        return [_unpacked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "bdata" in value:
        return np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"]).tolist()
    return {key: _unpacked(one) for key, one in value.items()}


@variants("pages", **{path.stem: path for path in sorted(_FOLDER.glob("*.json"))})
def first_edition(path):
    page = own_folder() / "page.html"
    if path.stem == "comparison":  # no result: it is read as a part of a page
        xembed.reports.write_combined([path], page)
        return read_page(page.read_text(encoding="utf-8"))
    result = xembed.read_result(path)
    if path.stem in _WITHOUT_PAGE:
        return {"result": result, "shown": repr(result)}
    result.report(page)
    return {"result": result, "shown": repr(result)} | read_page(page.read_text(encoding="utf-8"))
