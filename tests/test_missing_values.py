"""Missing and masked values beside embeddings: never read as values, refused with the first row."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from xembed.depth import select, select_examples
from xembed.isotropy import linear_probe
from xembed.stats import benjamini_hochberg, clustered_interval, holm, paired_difference, simultaneous_intervals

X = np.random.default_rng(0).normal(1.0, 1.0, (40, 4))
LABELS = np.array(["a", "b"] * 20)
NUMBERS = np.arange(40) // 4
MASK = np.arange(40) == 3
COLUMNS = {
    "masked strings": np.ma.masked_array(LABELS, mask=MASK),
    "NaN among strings": pd.Series(LABELS).where(~MASK),
    "NA among strings": pd.Series(LABELS, dtype="string").where(~MASK),
    "NA among integers": pd.Series(NUMBERS, dtype="Int64").where(~MASK),
    "NaN among floats": np.where(MASK, np.nan, NUMBERS),
    "masked integers": np.ma.masked_array(NUMBERS, mask=MASK),
}
FUNCTIONS = {
    "select": lambda labels: select(X, 4, labels=labels),
    "select_examples": lambda labels: select_examples(X, labels, 4),
    "linear_probe": lambda labels: linear_probe(X, labels, n_resamples=19),
    "clustered_interval": lambda labels: clustered_interval(X[:, 0], labels, n_resamples=19),
    "seeds": lambda labels: clustered_interval(X[:, 0], NUMBERS, seeds=labels, n_resamples=19),
    "paired_difference": lambda labels: paired_difference(X[:, 0], X[:, 1], labels, n_resamples=19),
    "simultaneous_intervals": lambda labels: simultaneous_intervals(X, labels, n_resamples=19),
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_missing_labels_are_refused(function, column):
    with pytest.raises((ValueError, TypeError), match=r"row 3|must hold strings or integers"):
        FUNCTIONS[function](COLUMNS[column])


def test_masked_numbers_are_not_finite():
    values = np.ma.masked_array(X[:, 0], mask=MASK)
    with pytest.raises(ValueError, match=r"'values' .* must be finite.*row 3"):
        clustered_interval(values, NUMBERS)
    with pytest.raises(ValueError, match=r"must be finite.*row 3"):
        paired_difference(values, X[:, 1], NUMBERS)
    for correct in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match=r"'pvalues' .* must be a 1-D array"):
            correct(np.ma.masked_array([0.1, 0.2], mask=[False, True]))


def test_columns_of_other_libraries_are_labels():
    expected = linear_probe(X, LABELS, n_resamples=19).accuracy
    for column in (pa.array(LABELS), pd.Series(LABELS, dtype="category"), pd.Series(LABELS, dtype="string[pyarrow]")):
        assert linear_probe(X, column, n_resamples=19).accuracy == expected
