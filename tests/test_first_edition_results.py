"""Results that the first edition wrote are still read, hold the same numbers, and make pages."""

import json
from pathlib import Path

import pytest

import xembed
from xembed.reports import write_combined

FILES = sorted((Path(__file__).parent / "results_of_first_edition").glob("*.json"))
# Parts of other results, and results of single questions, that never had a page.
WITHOUT_PAGE = {
    "geco_training", "method_health", "pair_shapley", "paired_shift", "prediction_gap", "pseudo_log_likelihood",
    "word_cooccurrence",
}  # fmt: skip
# Data of a page that no analysis makes.
COMPARISON = "comparison"


def named(names):
    return pytest.mark.parametrize("path", [path for path in FILES if path.stem in names], ids=lambda path: path.stem)


def numbers(value, place=""):
    """Return all numbers of plain data by where they are."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {where: one for key, item in items for where, one in numbers(item, f"{place}/{key}").items()}
    return {place: value} if isinstance(value, bool | int | float) else {}


RESULTS = {path.stem for path in FILES} - {COMPARISON}


def test_there_are_files():
    assert len(RESULTS - WITHOUT_PAGE) >= 28 and WITHOUT_PAGE < RESULTS
    assert sum(path.stat().st_size for path in FILES) < 600_000


@named(RESULTS)
def test_a_result_is_read_with_its_numbers(path):
    written = numbers(json.loads(path.read_text(encoding="utf-8")))
    read = numbers(xembed.read_result(path).to_dict())
    assert written and written.items() <= read.items()


@named(RESULTS - WITHOUT_PAGE)
def test_a_result_makes_a_page(path, tmp_path):
    page = tmp_path / "page.html"
    xembed.read_result(path).report(page)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    written = numbers(json.loads(path.read_text(encoding="utf-8")))
    assert written.items() <= numbers(json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))).items()


@named(RESULTS - WITHOUT_PAGE | {COMPARISON})
def test_a_result_is_part_of_a_page(path, tmp_path):
    page = tmp_path / "page.html"
    write_combined([path], page, title="Of the first edition")
    assert "Of the first edition" in page.read_text(encoding="utf-8")
