"""Reference methods against hand-computed cases, and on real data against what is known of it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from xembed.attribution import GENDERED_WORDS, METHODS, EncodedWords, MethodOptions, predict_by_first_word
from xembed.attribution._references import fit_linear_tfidf, fit_pattern, weigh_words
from xembed.datasets import PairedSentences, load_geco, load_gendered_pairs

NONE = np.zeros(0, dtype=np.int64)


def encoded(*sentences, first_id=100):
    """Return rows of one token a word, with a special token on both sides."""
    return [
        EncodedWords(
            tuple(words),
            (1, *(first_id + sum(map(ord, word)) for word in words), 2),
            (None, *range(len(words)), None),
        )
        for words in map(str.split, sentences)
    ]


def run(name, rows, targets=None, **options):
    targets = np.zeros(len(rows), dtype=np.int64) if targets is None else np.array(targets)
    return METHODS[name].run(None, rows, targets, MethodOptions(**options))


def pairs(*sentences, labels=None, classes=("female", "male")):
    words = [sentence.split() for sentence in sentences]
    labels = [row % len(classes) for row in range(len(words))] if labels is None else labels
    return PairedSentences(
        name="mine",
        sentences=words,
        ground_truth=[[word in ("she", "he") for word in row] for row in words],
        labels=labels,
        groups=range(len(words)),
        classes=classes,
    )


TRAIN = pairs("she sings .", "he sings .", "she saw a cat .", "he saw a cat .")


def test_all_are_there_and_free():
    names = [name for name, method in METHODS.items() if method.family == "reference"]
    assert names == ["uniform_random", "constant", "gendered_lexicon", "linear_tfidf", "pattern"]
    assert all(METHODS[name].rows(10, MethodOptions()) == (0, 0) for name in names)
    assert [name for name in names if METHODS[name].fit is not None] == ["linear_tfidf", "pattern"]


# ---- random, constant, lexicon


def test_random_depends_on_the_row_and_the_seed_only():
    rows = encoded("she sings .", "the old king saw him .", "she sings .")
    output = run("uniform_random", rows)
    assert np.array_equal(output.words[0], output.words[2])
    assert len(set(np.concatenate(output.words[:2]))) == 9
    for row, words in zip(rows, output.words, strict=True):
        assert np.array_equal(run("uniform_random", [row]).words[0], words)
        assert ((words >= 0) & (words < 1)).all()
    assert not np.array_equal(run("uniform_random", rows, seed=1).words[0], output.words[0])
    assert np.isnan([output.special, output.completeness, output.baseline_scores]).all()


def test_random_is_at_chance():
    rows = [EncodedWords(("a", "b", "c", "d"), (number,), (0,)) for number in range(2000)]
    rows = [EncodedWords(row.words, row.ids * 4, (0, 1, 2, 3)) for row in rows]
    first = [words[0] / words.sum() for words in run("uniform_random", rows).words]
    assert np.mean(first) == pytest.approx(1 / 4, abs=4 * np.std(first) / math.sqrt(2000))


def test_constant():
    output = run("constant", encoded("she sings .", "home"))
    assert [words.tolist() for words in output.words] == [[1, 1, 1], [1]]


def test_words_without_a_token_have_nothing():
    row = EncodedWords(("she", "\u200b", "sings", "late"), (1, 7, 8, 2), (None, 0, 2, None), truncated=True)
    for name in ("uniform_random", "constant"):
        assert (run(name, [row]).words[0] > 0).tolist() == [True, False, True, False]
    assert run("pattern", [row], fitted=fit_pattern(pairs("she late", "he late"))).words[0][[1, 3]].tolist() == [0, 0]


def test_the_lexicon_is_matched_by_whole_words():
    row = encoded("He saw the other Queen shed her hymn , Mrs. Theman")
    assert run("gendered_lexicon", row).words[0].tolist() == [1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0]


def test_a_lexicon_of_ones_own():
    row = encoded("he drank Tea")
    for words in ({"TEA"}, ["Tea"], ("tea",), frozenset({"tea", "coffee"}), {"tea": 1}.keys()):
        assert run("gendered_lexicon", row, fitted=words).words[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("words", ["he", 3, [3], {"he": 1}, fit_pattern(TRAIN)])
def test_a_lexicon_must_be_words(words):
    with pytest.raises(TypeError, match=r"The lexicon of gendered_lexicon \(fitted\) must be a set or list of words"):
        run("gendered_lexicon", encoded("he"), fitted=words)


def test_the_lexicon_holds_words_in_lower_case_and_both_sides():
    assert all(word == word.lower().strip() and " " not in word for word in GENDERED_WORDS)
    for first, second in (("she", "he"), ("aunt", "uncle"), ("policewoman", "policeman"), ("heroine", "hero")):
        assert {first, second} <= GENDERED_WORDS
    assert not {"they", "the", "person", "parent", "doctor", "human", "woma"} & GENDERED_WORDS


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), min_size=1, max_size=12))
def test_any_words_are_taken(words):
    row = EncodedWords(tuple(words), tuple(range(len(words))), tuple(range(len(words))))
    for name in ("uniform_random", "constant", "gendered_lexicon", "linear_tfidf", "pattern"):
        found = run(name, [row], fitted=METHODS[name].fit(TRAIN) if METHODS[name].fit else None).words[0]
        assert found.shape == (len(words),) and np.isfinite(found).all()


# ---- the pattern


def test_the_pattern_by_hand():
    # Two rows of two words, one shared: idf is ln(3 / 3) + 1 = 1 for "sings", ln(3 / 2) + 1 for the others.
    idf = math.log(1.5) + 1
    own, shared = idf / math.hypot(idf, 1), 1 / math.hypot(idf, 1)
    weights = fit_pattern(pairs("She sings", "he sings"))
    row = encoded("he sings and She Sings")
    # Over the rows, "he" is (0, own) and the class "male" (0, 1): each is half from its mean, over n - 1 = 1.
    expected = np.array([own / 2, 0, 0, -own / 2, 0])
    assert run("pattern", row, [1], fitted=weights).words[0] == pytest.approx(expected, abs=1e-12)
    assert run("pattern", row, [0], fitted=weights).words[0] == pytest.approx(-expected, abs=1e-12)
    assert shared < own  # else the case would not tell tf-idf from counts


def test_the_pattern_is_the_covariance_of_each_class_against_the_others():
    train = pairs("she sings", "he sings", "they sing", "she saw her", "he saw him", "they saw them",
                  classes=("female", "male", "neutral"))  # fmt: skip
    X = TfidfVectorizer(analyzer=list).fit([row for row in train.sentences])
    values, names = X.transform(train.sentences).toarray(), X.get_feature_names_out()
    weights = fit_pattern(train)
    for target in range(3):
        is_target = (np.array(train.labels) == target).astype(float)
        expected = [np.cov(column, is_target)[0, 1] for column in values.T]
        row = encoded(" ".join(names))
        assert run("pattern", row, [target], fitted=weights).words[0] == pytest.approx(expected, abs=1e-12)
    assert weights.weights.sum(axis=0) == pytest.approx(0, abs=1e-12)


def test_the_pattern_is_of_the_type_and_not_of_the_place():
    weights = fit_pattern(TRAIN)
    one, many = (run("pattern", encoded(text), [1], fitted=weights).words[0] for text in ("he", "cat he he saw he"))
    assert many[[1, 2, 4]] == pytest.approx(one[0])


# ---- the linear model


def test_the_linear_model_by_hand():
    idf = math.log(1.5) + 1
    length = math.hypot(idf, 2)
    weights = fit_linear_tfidf(pairs("she sings", "he sings"))
    coefficient = weights.weights[1, weights.vocabulary["he"]]
    assert coefficient > 0 and weights.weights[0, weights.vocabulary["he"]] == -coefficient
    found = run("linear_tfidf", encoded("He sings unknown sings"), [1], fitted=weights).words[0]
    # tf-idf is (idf, 2) over its length; "sings", which is in both, has the coefficient 0.
    assert found == pytest.approx([coefficient * idf / length, 0, 0, 0], abs=1e-9)


@pytest.mark.parametrize("classes", [("female", "male"), ("female", "male", "neutral")])
def test_the_linear_model_explains_itself(classes):
    train = pairs("she sings .", "he sings .", "they sing .", "the cat saw her", "the cat saw him at him",
                  "the cat saw them", labels=[row % len(classes) for row in range(6)], classes=classes)  # fmt: skip
    lower = [[word.lower() for word in row] for row in train.sentences]
    vectorizer = TfidfVectorizer(analyzer=list)
    model = LogisticRegression(C=10.0, max_iter=2000).fit(vectorizer.fit_transform(lower), train.labels)
    tests = ["him saw him sing", "the the the . she", "nothing known"]
    scores = model.decision_function(vectorizer.transform([text.split() for text in tests])) - model.intercept_
    weights = fit_linear_tfidf(train)
    for target in range(len(classes)):
        expected = scores[:, target] if scores.ndim == 2 else scores * (1 if target == 1 else -1)
        output = run("linear_tfidf", encoded(*tests), [target] * 3, fitted=weights)
        assert [words.sum() for words in output.words] == pytest.approx(expected, abs=1e-9)


def test_occurrences_share_their_value():
    weights = fit_linear_tfidf(TRAIN)
    values = run("linear_tfidf", encoded("he saw he"), [1], fitted=weights).words[0]
    assert values[0] == values[2] > 0
    columns = [weights.vocabulary[word] for word in ("he", "saw")]
    tfidf = np.array([2, 1]) * weights.idf[columns]
    assert 2 * values[0] == pytest.approx(weights.weights[1, columns[0]] * tfidf[0] / np.linalg.norm(tfidf))


def test_a_class_without_training_rows():
    weights = fit_linear_tfidf(pairs("she sings", "they sing", labels=[0, 2], classes=("female", "male", "neutral")))
    assert (weights.weights[1] == 0).all()
    assert weights.weights[2, weights.vocabulary["they"]] > 0


# ---- fitting


@pytest.mark.parametrize("name", ["linear_tfidf", "pattern"])
class TestFitting:
    def test_only_training_rows_count(self, name):
        weights = METHODS[name].fit(TRAIN)
        alone = run(name, encoded("he king"), [1], fitted=weights).words[0]
        assert alone[0] > 0 and alone[1] == 0  # "king" was not in the training data
        run(name, encoded("she king", "king king"), [0, 1], fitted=weights)
        assert np.array_equal(run(name, encoded("he king"), [1], fitted=weights).words[0], alone)
        again = METHODS[name].fit(TRAIN)
        assert np.array_equal(again.weights, weights.weights)

    def test_unfitted(self, name):
        with pytest.raises(ValueError, match=r"has to be fitted on training data: pass fitted=METHODS.*Got None"):
            run(name, encoded("he"))
        with pytest.raises(ValueError, match="has to be fitted on training data"):
            run(name, encoded("he"), fitted={"he": 1.0})

    def test_target_of_no_class(self, name):
        for target in (-1, 2):
            with pytest.raises(ValueError, match=f"classes of the training data of this method, 0 to 1. Got {target}"):
                run(name, encoded("he"), [target], fitted=METHODS[name].fit(TRAIN))

    def test_one_class(self, name):
        with pytest.raises(ValueError, match=f"{name} must have rows of two or more classes. Got only 'male'"):
            METHODS[name].fit(TRAIN.where("male"))

    def test_other_data(self, name):
        with pytest.raises(TypeError, match=f"{name} must be fitted on PairedSentences. Got list instead"):
            METHODS[name].fit([["he", "sings"]])

    def test_no_rows(self, name):
        assert METHODS[name].run(None, [], NONE, MethodOptions(fitted=METHODS[name].fit(TRAIN))).words == []


# ---- the simplest classifier


def test_the_first_pronoun_decides():
    data = pairs(
        "The queen saw HIM and her", "Herself , he said", "the shed", "Hers is his", classes=("female", "male")
    )
    assert predict_by_first_word(data).tolist() == [1, 0, -1, 0]
    turned = pairs("she saw him", "he saw her", classes=("male", "female"))
    assert predict_by_first_word(turned).tolist() == [1, 0]


def test_rows_without_a_pronoun_are_of_the_other_class():
    data = pairs("they sing", "she sings", "he sings", classes=("neutral", "female", "male"))
    assert predict_by_first_word(data).tolist() == list(data.labels)


def test_the_first_pronoun_needs_its_classes():
    with pytest.raises(ValueError, match=r"without \{'female'\}"):
        predict_by_first_word(pairs("he sings", "she sings", classes=("male", "other")))


# ---- data


def mass_accuracy(output, data):
    return np.array(
        [
            np.abs(words)[np.array(truth)].sum() / np.abs(words).sum() if words.any() else 0.0
            for words, truth in zip(output.words, data.ground_truth, strict=True)
        ]
    )


def rows_of(data):
    return encoded(*data.texts)


def test_on_the_projects_own_pairs():
    train, test = load_gendered_pairs(split="train"), load_gendered_pairs(split="test")
    found = {
        name: mass_accuracy(
            run(name, rows_of(test), test.labels, fitted=METHODS[name].fit(train) if METHODS[name].fit else None), test
        )
        for name in ("uniform_random", "constant", "gendered_lexicon", "pattern")
    }
    chance = np.array([np.mean(truth) for truth in test.ground_truth])
    assert found["constant"] == pytest.approx(chance)
    error = found["uniform_random"].std() / math.sqrt(len(test))
    assert found["uniform_random"].mean() == pytest.approx(chance.mean(), abs=4 * error)
    assert found["pattern"].mean() > 0.8 and found["gendered_lexicon"].mean() > 0.9


@pytest.mark.parametrize(
    ("variant", "accuracy", "median", "mean"),
    [("binary_gender_all", 0.994, 0.999, 0.993), ("binary_gender_subj", 0.957, 0.781, 0.745)],
)
def test_on_geco_as_measured_before(real_data, variant, accuracy, median, mean):
    train, test = (load_geco(real_data / "geco", variant, split) for split in ("train", "test"))
    assert np.mean(predict_by_first_word(test) == test.labels) == pytest.approx(accuracy, abs=2e-3)
    found = mass_accuracy(run("pattern", rows_of(test), test.labels, fitted=fit_pattern(train)), test)
    assert np.median(found) == pytest.approx(median, abs=3e-3)
    assert found.mean() == pytest.approx(mean, abs=3e-3)


def test_weigh_words_is_the_run_of_both():
    assert METHODS["linear_tfidf"].run is METHODS["pattern"].run is weigh_words
