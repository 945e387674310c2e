"""What the pages of shift analyses say under "Methods"."""

from __future__ import annotations

from collections.abc import Sequence

from xembed.reports.kit import Block, Data, method
from xembed.shift._kinds import KINDS

LIMITS = method(
    "Limits",
    "Texts are taken as independent; where several are of one document or author, p-values can be too small. What is "
    "not found is not proved to be absent.",
)
REGIONS = method(
    "Regions",
    "The space is cut into regions by k-means, either without regard to the corpus that a text is from or, with many "
    "texts, on one half of them while the other half is counted. The shares of the corpora in each region are compared "
    "by an exact test and adjusted for all regions [@benjamini1995]. A region is new if the first corpus could hold at "
    "most 1 % of its texts there, vanished the other way round.",
)
TERMS = method(
    "Terms",
    "Words and pairs of words, once a text, ranked by weighted log odds with an informative prior [@monroe2008]. "
    "p-values are those of the exact test of the shares of texts that hold the term.",
    "benjamini1995",
)
SURFACE = method(
    "Surface features",
    "Length, spacing, line breaks, case, punctuation and repeats of the texts are compared one by one with rank-sum "
    "tests, and together by a cross-validated logistic regression.",
    "benjamini1995",
)
COVERAGE = method(
    "Coverage",
    "Each text is put among those of the other corpus; its conformal p-value [@vovk2005; @bates2023] is the share of "
    "them that is as remote from its nearest neighbors as it is.",
    "benjamini1995",
)
SELF_CHECK = method(
    "Self-check",
    "The reference corpus is split at random into halves, many times, and each pair of halves is tested like two "
    "corpora. As nothing shifted there, the share of rejections should be the level. Its first half is tested against "
    "the second in the order given, too.",
)
MANY = method(
    "Tests",
    "Every pair of corpora is pooled by itself and tested by several tests on the same random permutations, combined "
    "by Westfall and Young's min-p [@westfall1993]. The p-values of the pairs are corrected by Holm's method "
    "[@holm1979]: with a probability of at least 1 less the level, every pair that is said to differ does.",
)
_PARTS = {
    "regions": REGIONS, "terms": TERMS, "surface": SURFACE, "coverage": COVERAGE, "self_check": SELF_CHECK,
}  # fmt: skip


def depth(distance: str = "cosine") -> Block:
    """Say what a depth is."""
    return method(
        "Depth",
        f"The depth of a text in a corpus is the largest possible {distance} distance less its mean distance to the "
        "corpus' texts: high for typical texts, low for outliers [@seegmiller2023; @pandolfo2018]. A text never counts "
        "in its own depth.",
    )


def which_tests(names: Sequence[str]) -> Block:
    """Say what each test computes."""
    kinds = [KINDS[name] for name in names]
    sentences = [f"{kind.title[0].upper()}{kind.title[1:]}: {kind.statistic}" for kind in kinds]
    return method("Which tests", " ".join(sentences), *(key for kind in kinds for key in kind.sources))


def of_test(name: str) -> list[Block]:
    """Return the methods of a single permutation test."""
    kind = KINDS[name]
    return [
        method(
            "Test",
            f"{kind.title[0].upper()}{kind.title[1:]}: {kind.statistic} The labels of the texts are permuted at "
            "random, many times. The p-value is the share of these permutations, the observed one included, whose "
            "statistic is at least as large. Without a shift every permutation is as likely as what was observed, so "
            "it is exact whatever the data look like. The interval is approximate. A test sees one kind of change; "
            "xembed.shift.compare_corpora runs several and combines them.",
            *kind.sources,
        ),
        LIMITS,
    ]


def of_rank_sum(reference: str) -> list[Block]:
    """Return the methods of a rank-sum test of depths."""
    measured = {
        "pooled": "Depth is measured in both corpora together, so that without a shift every labeling is equally "
        "likely and the test keeps its level on any data.",
        "split": "Depth is measured in a random half of the first corpus, and its other half is compared.",
        "first": "Depth is measured in the first corpus, as in the TTE paper; without a shift this test can reject "
        "more often than it should.",
    }
    return [
        depth(),
        method(
            "Test",
            "The depths of the two corpora are compared by the Wilcoxon rank-sum test with mid-ranks for ties. "
            f"{measured[reference]} Q is Liu & Singh's quality index [@liu1993], the share of pairs of texts in which "
            "the second corpus' text is the deeper one. The interval is DeLong's on the logit scale.",
        ),
        method(
            "What it can't see",
            "This test sees changes of spread and of the distance to the common center. It is nearly blind to a shift "
            "sideways, to a change of covariance, and to topics exchanged for others of equal depth. All depends on "
            "the embedding model: it sees what that model sees.",
        ),
    ]


def of_comparison(data: Data) -> list[Block]:
    """Return the methods of a comparison of two corpora."""
    names = [test["name"] for test in data["tests"]]
    parameters = data["provenance"]["parameters"]
    n_resamples, fast, grouped = f"{parameters['n_resamples']:,}", data["mode"] == "fast", _grouped(data)
    blocks = _fast(n_resamples) if fast else _battery(names, n_resamples, grouped, bool(parameters.get("paired")))
    shape = "" if fast else "shape by kernels and neighbors, contamination by the low-depth tail, "
    blocks += [
        method(
            "How the corpora differ",
            "Location is judged by the tests of the means, dispersion by pooled depth with the ratio of the mean "
            f"pairwise distances within the corpora, {shape}by adjusted p-values. Intervals are approximate: DeLong's "
            "for depth, otherwise normal. A strong shift shows in more than one of the four.",
        ),
        depth(data["test"]["distance"]),
        *(block for key, block in _PARTS.items() if data.get(key) is not None),
    ]
    independent = (
        ""
        if grouped
        else "Texts are taken as independent; where several are of one document or author, p-values are too small "
        "unless their groups are given. "
    )
    return [
        *blocks,
        method(
            "What it can't see",
            "All depends on the embedding model: what that model does not see, or sees in the surface rather than in "
            f"the content of texts, no test on its embeddings can tell. {independent}A difference that is not found is "
            "not proof that there is none: the column “Detectable” says what these sizes could have shown. Maps are "
            "for looking at.",
        ),
    ]


def _grouped(data: Data) -> bool:
    return data["provenance"]["parameters"].get("groups") is not None


def _fast(n_resamples: str) -> list[Block]:
    return [
        method(
            "Tests, fast mode",
            "With so many texts two tests were run that need sums over the texts only: the rank-sum test of pooled "
            f"depths, and linear MMD, the squared distance of the mean directions, with {n_resamples} random "
            "permutations. Their p-values are corrected by Holm's method [@holm1979]. What they can't see, changes of "
            "shape, of local structure and contamination, was not tested.",
            "liu1993",
        )
    ]


def _battery(names: Sequence[str], n_resamples: str, grouped: bool, paired: bool) -> list[Block]:
    what = "of the texts"
    if paired:
        what = "(each pair of texts keeps or swaps its labels)"
    elif grouped:
        what = "(labels of whole groups, such as documents or authors, are permuted: their texts are not independent)"
    return [
        method(
            "Tests",
            f"One test sees one kind of change, so {len(names)} were run on the same {n_resamples} random permutations "
            f"{what}. Without a shift every permutation is as likely as what was observed, so p-values are exact "
            "whatever the data look like. The tests are combined by Westfall and Young's step-down min-p "
            "[@westfall1993] with weights fixed beforehand: the combined p-value has exact level, and adjusted "
            "p-values control the probability of any false finding.",
        ),
        which_tests(names),
    ]


def of_drift(data: Data) -> list[Block]:
    """Return the methods of a drift report."""
    grouped = _grouped(data)
    whole, groups = (" of whole groups", " (groups of texts)") if grouped else ("", "")
    depend = (
        ""
        if grouped
        else "Texts that depend on each other (chunks of a document, a conversation) raise alarms unless their groups "
        "are given. "
    )
    return [
        method(
            "What is compared",
            "The stream is cut into windows. Each is tested against the reference and all earlier windows, on "
            f"{data['provenance']['parameters']['n_resamples']:,} random permutations{whole}, by several tests.",
            "westfall1993",
        ),
        which_tests(data["tests"]),
        method(
            "Why many looks do no harm",
            f"Without drift, texts{groups} are exchangeable. Given what the reference and the windows up to one hold "
            "together, every order of it is equally likely; so the p-values of the windows are independent and "
            "uniform, or larger. This is the theorem behind conformal test martingales [@vovk2003; @vovk2005], for "
            "windows in place of single examples.",
        ),
        method(
            "Evidence",
            "Each p-value becomes a bet that does not win on average, an e-value [@vovk2021]. The bets of all windows "
            "from one on are multiplied, and averaged over where the change may have come. The result is a martingale "
            "that starts at 1 or below, and by Ville's inequality the probability that it ever reaches "
            f"{data['threshold']:.3g} without drift is at most {data['alpha']:.3g}: one may look after every window, "
            "and stop or go on at will. Each test has a martingale of its own and a share of the level.",
        ),
        method(
            "Single windows",
            "Bets need two windows at least. So a quarter of the level is for windows alone, divided among them so "
            "that the parts add up to it however many windows there are. The evidence is the largest of the "
            "martingales times their shares, and of the p-value's limit over the p-value times "
            f"{data['threshold']:.3g}.",
        ),
        method(
            "After an alarm",
            "The guarantee has been spent. Later windows are compared with what came before the change, so that one "
            "sees whether it lasts. To monitor on, start again with a new reference.",
        ),
        method(
            "What it can't see",
            "Changes that are small for a window, or so slow that they become the new normal. "
            f"{depend}Daily or weekly rhythms raise alarms unless windows and reference are whole periods. It sees "
            "what the embedding model sees.",
        ),
    ]
