"""What shifted: counts, honesty of the split, planted topics, scores, rules, errors, false discoveries."""

import json
import os
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from xembed._core.directions import PooledRows, UnitRows
from xembed.datasets import load_corpora, load_planted_vocabulary
from xembed.shift._regions import (
    Region,
    RegionsResult,
    _status,
    assign,
    cluster_centers,
    default_clusters,
    split_halves,
    what_shifted,
)


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


CENTRES = unit(np.random.default_rng(1).normal(size=(8, 32)))


def draw(rng, n, weights):
    weights = np.asarray(weights, dtype=float)
    topics = rng.choice(len(weights), n, p=weights / weights.sum())
    return CENTRES[topics] + 0.5 * rng.normal(size=(n, 32)) / np.sqrt(32)


def corpora(seed=0, n=120, m=100):
    rng = np.random.default_rng(seed)
    return draw(rng, n, [1, 1, 1, 1, 1, 0]), draw(rng, m, [0, 1, 1, 1, 1, 1])


@pytest.mark.parametrize("split", [True, False])
def test_regions_are_counts_of_texts(split):
    F, G = corpora()
    result = what_shifted(F, G, split=split, n_clusters=7, rng=1)
    tested_F, tested_G = result.tested[:120], result.tested[120:]
    n, m = tested_F.sum(), tested_G.sum()
    assert (n, m) == ((60, 50) if split else (120, 100))
    own_F, own_G = result.membership[:120], result.membership[120:]
    pvalues = [region.pvalue for region in result.regions]
    assert pvalues == sorted(pvalues) and [region.id for region in result.regions] == list(range(7))
    np.testing.assert_allclose([r.qvalue for r in result.regions], stats.false_discovery_control(pvalues))
    for r in result.regions:
        f, g = ((own_F == r.id) & tested_F).sum(), ((own_G == r.id) & tested_G).sum()
        assert (r.count_F, r.count_G, r.total_F, r.total_G) == (f, g, (own_F == r.id).sum(), (own_G == r.id).sum())
        assert (r.share_F, r.share_G) == (f / n, g / m)
        a, b, c, d = g + 0.5, m - g + 0.5, f + 0.5, n - f + 0.5
        half = stats.norm.ppf(0.975) * np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        assert r.log_odds == pytest.approx(np.log(a * d / (b * c)), abs=1e-12)
        assert r.interval == pytest.approx((r.log_odds - half, r.log_odds + half), abs=1e-12)
        tails = stats.hypergeom(n + m, f + g, m).cdf(g), stats.hypergeom(n + m, f + g, m).sf(g - 1)
        assert r.pvalue == pytest.approx(min(1, 2 * min(tails)), rel=1e-9)
    assert result.n_changed == sum(r.qvalue <= 0.05 for r in result.regions)


def test_typical_texts_are_those_nearest_to_the_center():
    F, G = corpora()
    result = what_shifted(F, G, n_clusters=6)
    X = unit(np.r_[F, G])
    for region in result.regions:
        center = X[result.membership == region.id].mean(axis=0)  # what k-means ends with, all texts being counted
        for typical, rows, offset in ((region.typical_F, F, 0), (region.typical_G, G, 120)):
            inside = np.flatnonzero(result.membership[offset : offset + len(rows)] == region.id)
            expected = inside[np.argsort(-(unit(rows)[inside] @ center), kind="stable")[:5]]
            assert typical == tuple(expected)


def test_verdict_and_order_of_planted_topics():
    F, G = corpora()
    result = what_shifted(F, G, names=("old", "new"))
    assert {result.regions[0].status, result.regions[1].status} == {"new", "vanished"}
    assert all(region.status == "unchanged" for region in result.regions[2:])
    assert result.verdict.startswith(
        "2 of 15 regions changed (false discovery rate 5%; 120 and 100 texts counted). New"
    )
    assert "New in “new”: “region " in result.verdict and "Gone from “new”: “region " in result.verdict
    none = what_shifted(F[:60], F[60:])
    assert none.n_changed == 0 and none.verdict.startswith("None of 11 regions changed by more than chance explains")
    assert re.search(r"is detected from \d+ of its \d+ texts \(power 1\)", none.verdict)


def test_clusters_do_not_know_the_corpora_without_a_split():
    X = np.r_[corpora()]
    one = what_shifted(X[:100], X[100:], split=False, n_clusters=6)
    other = what_shifted(X[:130], X[130:], split=False, n_clusters=6)
    pairs = set(zip(one.membership.tolist(), other.membership.tolist(), strict=True))
    assert len(pairs) == 6  # the same regions under other numbers


def test_clusters_do_not_see_the_texts_counted_with_a_split():
    F, G = corpora()
    halves, tested = split_halves(120, 100, np.random.default_rng(0))
    assert tested.sum() == 110 and not tested[np.concatenate(halves)].any()
    X = np.r_[F, G]
    changed = np.where(tested[:, None], np.random.default_rng(1).normal(size=X.shape), X)
    centers = []
    for rows in (X, changed):
        pool = PooledRows(UnitRows.of(rows[:120], name="F"), UnitRows.of(rows[120:], name="G"), np.dtype(float))
        centers.append(cluster_centers(pool, halves, 6, np.random.default_rng(2), caller="test")[0])
    np.testing.assert_array_equal(*centers)


def test_split_is_taken_where_there_are_texts_enough(monkeypatch):
    F, G = corpora()
    assert not what_shifted(F, G).split
    monkeypatch.setattr("xembed.shift._regions._ENOUGH_TO_SPLIT", 100)
    assert what_shifted(F, G).split and not what_shifted(F, G[:99]).split
    assert what_shifted(F, G).provenance["parameters"]["split"] is True


def test_both_corpora_weigh_the_same_with_a_split():
    rng = np.random.default_rng(0)
    F, G = draw(rng, 1000, [1, 1]), draw(rng, 24, [0, 0, 1])
    halves, _ = split_halves(1000, 24, rng)
    pool = PooledRows(UnitRows.of(F, name="F"), UnitRows.of(G, name="G"), np.dtype(float))
    centers, _ = cluster_centers(pool, halves, 2, rng, caller="test")
    assert (unit(centers) @ CENTRES[2]).max() > 0.8  # one of two is the small corpus, not half of the large one


def test_number_of_regions():
    assert [default_clusters(*sizes) for sizes in ((1, 1), (8, 8), (91, 91), (50, 500), (10**6, 10**6))] == [
        2, 4, 13, 13, 50,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "sizes", "changed", "status"),
    [
        ((0, 20), (100, 100), True, "new"),
        ((20, 0), (100, 100), True, "vanished"),
        ((3, 15), (100, 100), True, "new"),  # 3 of 100 can come from 1 %, and is a fifth of 15 %
        ((3, 14), (100, 100), True, "more"),  # more than a fifth
        ((4, 40), (100, 100), True, "more"),  # 4 of 100 can't come from 1 %
        ((40, 4), (100, 100), True, "less"),
        ((12, 300), (1000, 1000), True, "new"),
        ((0, 20), (100, 100), False, "unchanged"),
    ],
)
def test_status_by_its_rules(counts, sizes, changed, status):
    assert _status(counts, sizes, changed=changed) == status


def scores_by_definition(F, G, k):
    X, of_G = unit(np.r_[F, G]), np.repeat([0.0, 1.0], [len(F), len(G)])
    found = []
    for i, x in enumerate(X):
        cosines, labels = np.delete(X @ x, i), np.delete(of_G, i)
        last = np.sort(cosines)[-k]
        nearer, level = cosines > last + 1e-9, np.abs(cosines - last) <= 1e-9
        share = (labels[nearer].sum() + (k - nearer.sum()) * labels[level].mean()) / k
        found.append(share - labels.mean())
    return np.array(found)


@given(seed=st.integers(0, 10**6), n=st.integers(2, 30), m=st.integers(2, 30), ties=st.booleans())
@settings(max_examples=25, deadline=None)
def test_scores_are_shares_of_neighbors(seed, n, m, ties):
    rng = np.random.default_rng(seed)
    F, G = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    if ties:
        F[:], G[: m // 2] = F[0], F[0]
    result = what_shifted(F, G)
    np.testing.assert_allclose(result.scores, scores_by_definition(F, G, result.n_neighbors), atol=1e-9)
    assert (np.abs(result.scores) <= 1).all()
    for region in result.regions:
        assert 0 < region.pvalue <= region.qvalue + 1e-12 <= 1 + 1e-12
        assert region.interval[0] < region.log_odds < region.interval[1]
    assert RegionsResult.from_json(result.to_json()).to_json() == result.to_json()


def test_constant_and_repeated_rows():
    same = what_shifted(np.ones((10, 4)), 2 * np.ones((8, 4)))
    assert len(same.regions) == 1 and same.regions[0].pvalue == 1.0
    np.testing.assert_allclose(same.scores, 0, atol=1e-12)
    assert same.warnings == ("Only 1 region could be made: so many different rows there are to make them.",)
    assert "One region can't change." in same.verdict
    two = what_shifted(np.tile([1.0, 0, 0], (20, 1)), np.tile([0, 1.0, 0], (20, 1)))
    assert [region.status for region in two.regions] == ["new", "vanished"] and len(two.regions) == 2
    assert np.sign(two.scores).tolist() == [-1.0] * 20 + [1.0] * 20
    few = what_shifted(*corpora(n=3, m=2))
    assert few.n_changed == 0 and "So few texts in so many regions can't show a change." in few.verdict


def test_large_corpora_are_sampled(monkeypatch):
    F, G = corpora(n=400, m=300)
    whole = what_shifted(F, G, n_clusters=6, split=False)
    monkeypatch.setattr("xembed.shift._regions._MAX_FIT", 300)
    monkeypatch.setattr("xembed.shift._regions._MAX_START", 100)
    monkeypatch.setattr("xembed.shift._regions.MAX_CANDIDATES", 200)
    monkeypatch.setattr("xembed.shift._regions.BLOCK_ELEMENTS", 1000)
    monkeypatch.setattr("xembed.shift._regions.BLOCK_ELEMENTS", 1000)
    for split in (True, False):
        result = what_shifted(F, G, n_clusters=6, split=split, rng=3)
        assert result.warnings == (
            "The regions were made by a random sample of 300 texts.",
            "The neighbors of the scores were looked for in a random sample of 200 texts.",
        )
        assert {result.regions[0].status, result.regions[1].status} == {"new", "vanished"}
        assert len(result.membership) == 700 and sum(r.total_F for r in result.regions) == 400
        assert np.corrcoef(result.scores, whole.scores)[0, 1] > 0.8
    assert result.to_json() == what_shifted(F, G, n_clusters=6, split=False, rng=3).to_json()


def test_float32_changes_nothing_that_matters(monkeypatch):
    F, G = corpora()
    G[:4] = F[:4]
    whole = what_shifted(F, G)
    monkeypatch.setattr("xembed._core.neighbors._EXACT_PAIRS", 0)
    single = what_shifted(F.astype(np.float32), G.astype(np.float32))
    np.testing.assert_array_equal(single.membership, whole.membership)
    np.testing.assert_allclose(single.scores, whole.scores, atol=1e-5)


def test_same_call_same_result_and_round_trip():
    F, G = corpora()
    result = what_shifted(F, G, split=True, rng=5)
    assert result.to_json() == what_shifted(F, G, split=True, rng=5).to_json()
    assert result.to_json() != what_shifted(F, G, split=True, rng=6).to_json()
    data = json.loads(result.to_json())
    assert data["schema"] == "xembed.shift.RegionsResult/1" and data["regions"][0]["schema"] == "xembed.shift.Region/1"
    again = RegionsResult.from_json(result.to_json())
    assert again.to_json() == result.to_json() and isinstance(again.regions[0], Region)
    assert again.tested.dtype == bool and again.regions[0].typical_F == result.regions[0].typical_F
    frame = result.to_frame()
    assert len(frame) == len(result.regions) and list(frame.status) == [r.status for r in result.regions]
    assert len(repr(result)) < 400


def test_terms_name_the_regions():
    F, G = corpora(n=40, m=40)
    kinds = ["apple", "brick", "cloud", "drum", "eagle", "fjord"]
    texts = []
    for rows, seed in ((F, 0), (G, 1)):
        rng = np.random.default_rng(seed)
        topics = (unit(rows) @ CENTRES[:6].T).argmax(axis=1)
        texts.append([f"the {kinds[t]} and the {rng.choice(['day', 'night'])}" for t in topics])
    result = what_shifted(F, G, texts=tuple(texts), n_clusters=6)
    assert {region.label.split(",")[0].removeprefix("the ") for region in result.regions} == set(kinds)
    new = next(region for region in result.regions if region.status == "new")
    assert "fjord" in new.terms and new.term_scores == tuple(sorted(new.term_scores, reverse=True))
    assert "fjord" in result.verdict
    blank = what_shifted(F, G, texts=([" "] * 40, ["\x00\x1b[2J"] * 40), n_clusters=6)
    assert {label.split(" ")[0] for label in (region.label for region in blank.regions)} <= {"region", "2j"}


F0, G0 = corpora(n=12, m=10)
TEXTS = ["a text"] * 12, ["b text"] * 10


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: what_shifted(F0[:0], G0), ValueError, "F must hold at least 2 rows .* Got n_samples = 0"),
        (lambda: what_shifted(F0, G0[:1]), ValueError, "G must hold at least 2 rows .* Got n_samples = 1"),
        (lambda: what_shifted(F0, G0[:3], split=True), ValueError, "G must hold at least 4 rows"),
        (lambda: what_shifted(F0, G0[:, :3]), ValueError, "same number of dimensions"),
        (lambda: what_shifted(F0, G0, n_clusters=23), ValueError, "must be at most 22 here, .* Got 23 instead"),
        (lambda: what_shifted(F0, G0, n_clusters=12, split=True), ValueError, "must be at most 11 here"),
        (lambda: what_shifted(F0, G0, n_clusters=1), ValueError, "an integer of at least 2. Got 1"),
        (lambda: what_shifted(F0, G0, n_clusters="8"), TypeError, "The 'n_clusters' parameter of what_shifted"),
        (lambda: what_shifted(F0, G0, fdr=0), ValueError, "The 'fdr' parameter of what_shifted"),
        (lambda: what_shifted(F0, G0, split="half"), TypeError, "must be True, False or None. Got 'half'"),
        (lambda: what_shifted(F0, G0, names=("a", " ")), ValueError, "must be a pair of names"),
        (lambda: what_shifted(F0, G0, rng=-1), TypeError, "The 'rng' parameter of what_shifted"),
        (lambda: what_shifted(F0, G0, texts=TEXTS[0]), ValueError, "must be a pair: .* Got list of length 12"),
        (lambda: what_shifted(F0, G0, texts=3), ValueError, "must be a pair: .* Got int"),
        (lambda: what_shifted(F0, G0, texts=TEXTS[::-1]), ValueError, "F must have as many texts as rows. Got 10"),
        (lambda: what_shifted(F0, G0, texts=(TEXTS[0], [1] * 10)), TypeError, "the texts of G holds 10 items"),
        (lambda: what_shifted(F0, G0, texts=(["\ud800"] * 12, TEXTS[1])), ValueError, "not valid Unicode"),
        (lambda: what_shifted(F0 * [[0]] * 1.0, G0), ValueError, "F holds 12 rows that are zero"),
        (lambda: what_shifted(F0, G0 * np.inf), ValueError, "G holds 10 rows that are not finite"),
    ],
)  # fmt: skip
def test_documented_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.fixture(scope="module")
def tickets(encoder):
    """Return embeddings, texts and planted topics of week 1 and week 2."""
    table = load_corpora("support_tickets")
    X = encoder.encode(table.texts)
    weeks = []
    for week in (1, 2):
        rows = np.flatnonzero(np.array(table.column("week")) == week)
        planted = np.array([table.column("planted")[row] or "" for row in rows])
        weeks.append((X[rows], [table.texts[row] for row in rows], planted))
    return weeks


def test_the_planted_topics_come_first(tickets):
    (F, texts_F, planted_F), (G, texts_G, planted_G) = tickets
    result = what_shifted(F, G, texts=(texts_F, texts_G), names=("week 1", "week 2"))
    planted = np.r_[planted_F, planted_G]
    assert result.n_changed == 2
    kinds = {"new": "new_topic", "vanished": "vanished_topic"}
    assert {region.status for region in result.regions[:2]} == set(kinds)
    for region in result.regions[:2]:
        inside = planted[result.membership == region.id] == kinds[region.status]
        assert inside.mean() > 0.9 and inside.sum() >= 20
        words = load_planted_vocabulary()[kinds[region.status]]
        assert all(word in words for word in region.label.split(", "))
        assert region.qvalue < 1e-4
    assert "2 of 19 regions changed" in result.verdict and "(1% → 14%)" in result.verdict


@pytest.mark.parametrize("n_clusters", [10, 14, 25])
def test_the_planted_topics_come_first_for_any_number_of_regions(tickets, n_clusters):
    (F, _, planted_F), (G, _, planted_G) = tickets
    result = what_shifted(F, G, n_clusters=n_clusters)
    planted = np.r_[planted_F, planted_G]
    foremost = set()
    for region in result.regions[:2]:
        kinds, counts = np.unique(planted[result.membership == region.id], return_counts=True)
        foremost.add(kinds[counts.argmax()])
    assert foremost == {"new_topic", "vanished_topic"}


def test_scores_rank_the_planted_texts(tickets):
    (F, _, planted_F), (G, _, planted_G) = tickets
    scores = what_shifted(F, G).scores
    assert roc_auc_score(planted_G == "new_topic", scores[len(F) :]) > 0.95
    assert roc_auc_score(planted_F == "vanished_topic", -scores[: len(F)]) > 0.93


def test_weeks_without_the_planted_rows_do_not_differ(tickets):
    rows = np.concatenate([X[planted == ""] for X, _, planted in tickets])
    changed = 0
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(rows))
        changed += what_shifted(rows[order[:154]], rows[order[154:]]).n_changed > 0
    assert changed <= 3  # of 20 at 5 %: more has a chance of 2 %


RUNS, HIGHEST = (500, 0.065) if os.environ.get("XEMBED_FULL") else (60, 0.1)
EVEN = np.ones(8)
SWAPPED = np.array([0.0, 1, 1, 1, 1, 1, 1, 2])
TILTED = np.array([0.3, 0.3, 0.3, 0.3, 1.7, 1.7, 1.7, 1.7])


@pytest.mark.slow
@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize(("n", "m"), [(180, 180), (50, 500)])
@pytest.mark.parametrize("after", [EVEN, SWAPPED, TILTED], ids=["none", "swapped", "tilted"])
def test_false_discovery_rate(split, n, m, after):
    """Count a finding as false where 6,000 fresh texts of each corpus show no difference to speak of."""
    rng = np.random.default_rng(0)
    false, found = [], []
    for _ in range(RUNS):
        F, G = draw(rng, n, EVEN), draw(rng, m, after)
        result = what_shifted(F, G, split=split, rng=rng)
        regions = unit(np.stack([unit(np.r_[F, G])[result.membership == r.id].mean(axis=0) for r in result.regions]))
        fresh = PooledRows(
            UnitRows.of(draw(rng, 6000, EVEN), name="F"),
            UnitRows.of(draw(rng, 6000, after), name="G"),
            np.dtype(float),
        )
        where, _ = assign(fresh, regions)
        shares = [np.bincount(part, minlength=len(regions)) + 0.5 for part in (where[:6000], where[6000:])]
        null = np.abs(np.log(shares[1] / shares[0])) < 0.2
        changed = np.array([region.status != "unchanged" for region in result.regions])
        false.append((changed & null).sum() / max(1, changed.sum()))
        found.append((changed & ~null).sum())
    print(f"\nsplit={split} {n}:{m}: false {np.mean(false):.3f}, found {np.mean(found):.2f} a run of {RUNS}")
    assert np.mean(false) <= HIGHEST
    assert np.mean(found) > 0.5 or after is EVEN
