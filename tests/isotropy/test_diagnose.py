"""`diagnose` on embeddings, and with an encoder of one's own."""

import numpy as np
import pytest

from xembed.datasets import STSPairs
from xembed.isotropy import Diagnosis, diagnose

X = np.random.default_rng(0).normal(1, 1, (120, 6))


class Letters:
    """An encoder: counts of letters."""

    def encode(self, texts):
        return np.array([[text.count(letter) + 0.1 for letter in "abcdef"] for text in texts])


def texts(seed, n=60):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("abcdef"), 12)) for _ in range(n)]


def pairs(name, seed):
    first, second = texts(seed), texts(seed + 1)
    return STSPairs(name=name, first=first, second=second, scores=np.random.default_rng(seed).random(60))


def test_embeddings_alone_are_measured_and_nothing_is_recommended():
    found = diagnose(X, n_resamples=20)
    assert found.before.n == 120 and found.after is found.corrections is found.layers is None
    assert found.recommendation is None and "Isotropy alone is no reason" in found.reason
    assert len(found.hubs) == 10 and found.hubs[0].occurrences >= found.hubs[1].occurrences
    assert found.to_json() == diagnose(X, n_resamples=20).to_json() == Diagnosis.from_json(found.to_json()).to_json()


def test_pairs_choose_and_judge():
    found = diagnose(Letters(), texts(0), tune=pairs("tune", 1), test=pairs("test", 5), n_resamples=20)
    assert found.corrections.fit_on == "tune" and found.corrections.test == ("test",)
    assert found.recommendation == found.corrections.recommendation and found.after is not None
    assert found.correction in {row.name for row in found.corrections.rows} - {"raw"}


def test_few_texts_are_no_error():
    """Whole whitening of no more rows than dimensions makes all of them equally far from each other."""

    class Wide(Letters):
        def encode(self, texts):
            seeds = ([ord(letter) for letter in text] for text in texts)
            return np.stack([np.random.default_rng(seed).normal(1, 1, 200) for seed in seeds])

    few = pairs("tune", 1)
    found = diagnose(Wide(), texts(0), tune=few, test=pairs("test", 5), n_resamples=20)
    names = [row.name for row in found.corrections.rows]
    assert "whitening" not in names and "shrunk_whitening" in names
    assert found.corrections.notes[-1] == "Whole whitening was left out for that reason."
    many = diagnose(Letters(), texts(0), tune=few, test=pairs("test", 5), n_resamples=20)
    assert "whitening" in [row.name for row in many.corrections.rows]


def test_labels_judge_where_there_are_no_pairs():
    found = diagnose(X, fit_texts=X[::2] + 0.1, labels=["a", "b"] * 60, n_resamples=20)
    assert found.corrections.row("raw").probe is not None and found.recommendation is not None
    assert list(found.to_frame().columns[-3:]) == [f"{c} after {found.correction}" for c in ("value", "low", "high")]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: diagnose(X, tune=pairs("tune", 1)), ValueError, "need an encoder as 'source'"),
        (lambda: diagnose(X, layers=True), ValueError, "need an encoder as 'source'"),
        (lambda: diagnose(X, ["a"]), ValueError, "one a row. Got 1 texts and 120 rows"),
        (lambda: diagnose(X, fit_texts=X[:, :3]), ValueError, "same number of dimensions. Got 6 and 3"),
        (lambda: diagnose(X, labels=["a"] * 120), ValueError, "'fit_texts' parameter of diagnose must be what"),
        (lambda: diagnose(Letters()), ValueError, "'texts' parameter of diagnose must be given with an encoder"),
        (lambda: diagnose(X, n_resamples=3), ValueError, "'n_resamples' parameter of diagnose"),
        (lambda: diagnose(X[:1]), ValueError, "at least 2 rows"),
    ],
)
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
