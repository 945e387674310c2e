"""Texts where embeddings are asked for: taken from any library, encoded once everything else is checked."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from xembed.datasets import TextTable
from xembed.depth import find_outliers
from xembed.encoders import Encoding
from xembed.isotropy import diagnose, measure
from xembed.shift import compare_corpora, compare_many, drift_over_time


class Letters:
    """Counts of letters, with an encoder's count of what it cut."""

    def encode(self, texts):
        return np.array([[1.0 + text.count(letter) for letter in "aeionrst0123"] for text in texts])


class Cutting(Letters):
    def encode_detailed(self, texts, batch_size=32, *, progress=None, cache=True):
        return Encoding(self.encode(texts), len(texts), len(set(texts)), n_truncated=2, max_length=5)

    def describe(self):
        return {"model": "letters"}


class Never:
    def encode(self, texts):
        raise AssertionError("encoded before everything was checked")


WORDS = ["rain", "snow", "tea", "coffee", "train", "star", "moon", "stone", "river", "note", "ear", "sea"]
EARLY = [f"{a} {b} {i % 4}" for i, (a, b) in enumerate(zip(WORDS * 2, sorted(WORDS) * 2, strict=True))]
LATE = [f"{a} and {b} {i % 3}" for i, (a, b) in enumerate(zip(sorted(WORDS) * 2, WORDS * 2, strict=True))]
X, Y = Letters().encode(EARLY), Letters().encode(LATE)
N = len(EARLY)

FUNCTIONS = {
    "compare_corpora": lambda early, late, **options: compare_corpora(early, late, n_resamples=99, **options),
    "drift_over_time": lambda early, late, **options: drift_over_time(
        late, np.arange(N), reference=early, window=12, n_resamples=99, **options
    ),
    "compare_many": lambda early, late, **options: compare_many(
        {"early": early, "late": late}, n_resamples=99, **options
    ),
    "find_outliers": lambda early, late, **options: find_outliers(late, reference=early, **options),
    "measure": lambda early, late, **options: measure(early, metrics=["isoscore", "average_cosine"], **options),
    "diagnose": lambda early, late, **options: diagnose(early, n_resamples=20, **options),
}
KINDS = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "Series": lambda texts: pd.Series(texts, index=range(len(texts), 0, -1)),
    "categories": lambda texts: pd.Series(texts, dtype="category"),
    "arrow": pa.array,
    "arrow chunks": lambda texts: pa.chunked_array([texts[:3], texts[3:]]),
    "TextTable": lambda texts: TextTable("notes", texts),
    "DataFrame": lambda texts: pd.DataFrame({"day": range(len(texts)), "note": texts}, index=["x"] * len(texts)),
    "arrow table": lambda texts: pa.table({"day": range(len(texts)), "note": texts}),
}


def numbers(result):
    """Return the numbers of a result, which do not depend on how the texts were given."""
    data = result.to_dict()
    fields = (
        "pvalue",
        "depths",
        "evidence",
        "effects",
        "qvalues",
        "measures",
        "adjusted_pvalues",
        "similarities",
        "before",
        "similarity_between",
    )
    return {name: data[name] for name in fields if name in data}


@pytest.fixture(scope="module")
def expected():
    return {name: numbers(function(X, Y)) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_texts_give_the_numbers_of_their_embeddings(function, kind, expected):
    options = {"text_column": "note"} if kind in {"DataFrame", "arrow table"} else {}
    early, late = KINDS[kind](EARLY), KINDS[kind](LATE)
    result = FUNCTIONS[function](early, late, encoder=Letters(), **options)
    assert numbers(result) == expected[function]
    described = result.encoder if hasattr(result, "encoder") else result.provenance["parameters"]["encoder"]
    assert described == {"model": "Letters"}


def test_texts_are_those_of_the_pages():
    result = compare_corpora(EARLY, LATE, encoder=Letters(), n_resamples=99)
    assert (result.texts_F, result.texts_G) == (tuple(EARLY), tuple(LATE))
    assert result.terms is not None and result.surface is not None
    hub = diagnose(EARLY, encoder=Letters(), n_resamples=20).hubs[0]
    assert hub.text == EARLY[hub.row]
    table = TextTable("weather", EARLY)
    assert diagnose(table, encoder=Letters(), n_resamples=20).name == "weather"
    frame = pd.DataFrame({"note": EARLY})
    assert diagnose(Letters(), frame, text_column="note", n_resamples=20).hubs[0].text == hub.text
    other = compare_corpora(EARLY, LATE, texts=(LATE, EARLY), encoder=Letters(), n_resamples=99)
    assert other.texts_F == tuple(LATE)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_the_encoder_cuts_is_in_the_result(function):
    result = FUNCTIONS[function](EARLY, LATE, encoder=Cutting())
    notes = result.notes if function == "measure" else result.warnings
    assert sum("were cut" in note for note in notes) == (1 if function in {"measure", "diagnose"} else 2)
    if function == "compare_corpora":
        named = compare_corpora(EARLY, LATE, encoder=Cutting(), names=("old", "new"), n_resamples=99).warnings
        assert "2 of 24 texts of old" in named[0] and "2 of 24 texts of new" in named[1]


def test_what_was_dropped_from_a_table_is_in_the_result():
    table = TextTable("notes", EARLY, n_skipped=3)
    assert any("3 blank texts were dropped from X" in note for note in measure(table, encoder=Letters()).notes)


def test_the_default_encoder_is_that_of_the_shell(encoder):
    result = compare_corpora(EARLY, LATE, n_resamples=99)
    assert result.encoder["model"] == encoder.name and result.encoder["fingerprint"] == encoder.fingerprint
    assert find_outliers(LATE, reference=EARLY).provenance["parameters"]["encoder"]["model"] == encoder.name


def test_a_name_is_looked_up_when_all_else_is_checked():
    with pytest.raises(ValueError, match="alpha"):
        compare_corpora(EARLY, LATE, encoder="no/such/model", alpha=3)
    with pytest.raises(FileNotFoundError, match="no/such/model"):
        compare_corpora(EARLY, LATE, encoder="no/such/model")


def test_a_mapping_still_describes_embeddings():
    assert compare_corpora(X, Y, encoder={"model": "mine"}, n_resamples=99).encoder == {"model": "mine"}
    assert compare_corpora(X, Y, encoder=Cutting(), n_resamples=99).encoder == {"model": "letters"}
    assert compare_corpora(X, Y, n_resamples=99).encoder is None
    assert measure(X, encoder={"model": "mine"}).provenance["parameters"]["encoder"] == {"model": "mine"}
    assert "encoder" not in measure(X).provenance["parameters"]


FRAME = pd.DataFrame({"day": range(N), "note": EARLY})
TIMES = np.arange(N)
BAD = "\ud800"
WRONG = {
    "alpha": (lambda e: compare_corpora(EARLY, LATE, encoder=e, alpha=float("nan")), ValueError, "'alpha'"),
    "resamples": (lambda e: compare_corpora(EARLY, LATE, encoder=e, n_resamples=3), ValueError, "'n_resamples'"),
    "paired": (lambda e: compare_corpora(EARLY, LATE, encoder=e, paired=float("nan")), TypeError, "True or False"),
    "explain": (lambda e: compare_corpora(EARLY, LATE, encoder=e, explain=None), TypeError, "'explain' .*True or Fal"),
    "self_check": (lambda e: compare_corpora(EARLY, LATE, encoder=e, self_check=1), TypeError, "'self_check'"),
    "pairs": (lambda e: compare_corpora(EARLY, LATE[1:], encoder=e, paired=True), ValueError, "Got 24 and 23"),
    "names": (lambda e: compare_corpora(EARLY, LATE, encoder=e, names=("a", 3)), ValueError, "pair of names"),
    "no names": (lambda e: compare_corpora(EARLY, LATE, encoder=e, names=None), ValueError, "pair of names"),
    "surrogate": (lambda e: compare_corpora(EARLY, LATE, encoder=e, names=("a", BAD)), ValueError, "valid Unicode"),
    "warnings": (lambda e: compare_corpora(EARLY, LATE, encoder=e, warnings="ab"), TypeError, "'warnings'.*one str"),
    "no warnings": (lambda e: compare_corpora(EARLY, LATE, encoder=e, warnings=[3]), TypeError, "Got 3 in it"),
    "rng": (lambda e: compare_corpora(EARLY, LATE, encoder=e, rng="seed"), TypeError, "'rng'"),
    "groups": (lambda e: compare_corpora(EARLY, LATE, encoder=e, groups=(TIMES[1:], TIMES)), ValueError, "as many gr"),
    "no group": (
        lambda e: compare_corpora(EARLY, LATE, encoder=e, groups=([pd.NA, *range(1, N)], range(N, 2 * N))),
        ValueError,
        r"F holds 1 row without a group \(first: row 0\)",
    ),
    "texts": (lambda e: compare_corpora(EARLY, LATE, encoder=e, texts=(EARLY, [])), ValueError, "at least 1 text"),
    "blank": (lambda e: compare_corpora(EARLY, [*LATE, " "], encoder=e), ValueError, r"1 blank text \(first: item 24"),
    "missing": (lambda e: compare_corpora([None, *EARLY], LATE, encoder=e), TypeError, r"first: item 0, NoneType"),
    "NA": (lambda e: measure(pd.Series([*EARLY, pd.NA]), encoder=e), TypeError, r"not a string \(first: item 24"),
    "few": (lambda e: compare_corpora(EARLY[:1], LATE, encoder=e), ValueError, "F must hold at least 2 texts"),
    "one of each": (lambda e: compare_corpora(EARLY, X, encoder=e), ValueError, "Got texts as F and embeddings as G"),
    "column": (lambda e: compare_corpora(FRAME, FRAME, encoder=e), TypeError, "name the column .*text_column='note'"),
    "no such column": (
        lambda e: compare_corpora(FRAME, FRAME, text_column="notes", encoder=e), ValueError, "columns are 'day', 'note'"
    ),
    "numbers": (lambda e: measure(FRAME, text_column="day", encoder=e), TypeError, r"X\['day'\] holds 24 items"),
    "no table": (lambda e: measure(EARLY, text_column="note", encoder=e), TypeError, "goes with a DataFrame"),
    "path": (lambda e: compare_corpora("a.txt", "b.txt", encoder=Cutting()), TypeError, "a file is read by read_embed"),
    "mapping": (lambda e: compare_corpora(EARLY, LATE, encoder={"model": "m"}), TypeError, "'encoder'.*with texts"),
    "class": (lambda e: compare_corpora(EARLY, LATE, encoder=Letters), TypeError, "'encoder' .*with texts"),
    "model of embeddings": (lambda e: compare_corpora(X, Y, encoder="m"), TypeError, "'encoder'.*with embeddings"),
    "window": (
        lambda e: drift_over_time(EARLY, TIMES, reference=10, window="7Q", encoder=e), TypeError, "'window'"
    ),
    "reference": (
        lambda e: drift_over_time(EARLY, TIMES, reference=N, window=12, encoder=e), ValueError, "'reference'"
    ),
    "times": (lambda e: drift_over_time(EARLY, TIMES[1:], reference=LATE, window=12, encoder=e), ValueError, "'times'"),
    "reference of embeddings": (
        lambda e: drift_over_time(EARLY, TIMES, reference=X, window=12, encoder=e), ValueError, "embeddings as ref"
    ),
    "fdr": (lambda e: find_outliers(EARLY, encoder=e, fdr=2), ValueError, "'fdr'"),
    "few to test": (lambda e: find_outliers(EARLY[:19], encoder=e), ValueError, "at least 20 texts"),
    "neighbors": (
        lambda e: find_outliers(EARLY, encoder=e, score="local", n_neighbors=40), ValueError, "n_neighbors"
    ),
    "metrics": (lambda e: measure(EARLY, encoder=e, metrics="size"), ValueError, "'metrics'"),
    "layers": (lambda e: diagnose(EARLY, encoder=e, layers="all"), TypeError, "'layers' .*True or False"),
    "transductive": (lambda e: diagnose(EARLY, encoder=e, transductive=1), TypeError, "'transductive'"),
    "labels": (lambda e: diagnose(EARLY, encoder=e, fit_texts=LATE, labels=["a"]), ValueError, "labels"),
    "no fit": (lambda e: diagnose(EARLY, encoder=e, labels=["a"] * N), ValueError, "'fit_texts'"),
    "texts twice": (lambda e: diagnose(EARLY, LATE, encoder=e), ValueError, "'texts' .*Got both"),
    "two encoders": (lambda e: diagnose(e, EARLY, encoder=e), ValueError, "'encoder' .*must be None"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_calls_are_refused_before_anything_is_encoded(what):
    call, error, message = WRONG[what]
    with pytest.raises(error, match=message):
        call(Never())


def test_a_table_without_text_column_is_told_of_the_column_text_first():
    table = pd.DataFrame({"id": ["T-1", "T-2"], "text": ["a lid", "no lid"]})
    with pytest.raises(TypeError, match="text_column='text'"):
        compare_corpora(table, table)
