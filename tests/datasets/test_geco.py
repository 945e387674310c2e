"""The official files of GECO: the counts of the specification on the real ones, each defect on small ones."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed.datasets._geco import CLASSES, load_geco

GENDERS = ("female", "male", "neutral")


def row(words, marks, label, group=0, **more):
    words = words.split("|") if isinstance(words, str) else words
    return {
        "sentence": words,
        "ground_truth": marks,
        "gender": GENDERS[label],
        "target": label,
        "sentence_idx": group,
    } | more


SOUND = [row("He|sings|.", [1, 0, 0], 1, 90), row("She|sings|.", [1, 0, 0], 0, 90)]


def write(folder, rows, variant="binary_gender_all", split="train"):
    file = folder / variant / f"{split}.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return folder


def found(pairs):
    return {what.partition(" (")[0]: n for what, n in pairs.defects.items() if n}


# Columns: rows without truth, groups of one text, repeated rows, blank words; from the specification's table.
REAL = [
    ("binary_gender_all", "train", 2576, (2, 1, 3, 2), 2),
    ("binary_gender_all", "test", 644, (0, 0, 0, 1), 0),
    ("binary_gender_subj", "train", 2576, (22, 11, 13, 2), 12),
    ("binary_gender_subj", "test", 644, (2, 1, 1, 0), 1),
    ("non_binary_gender_all", "train", 3864, (3, 2, 6, 3), 3),
    ("non_binary_gender_all", "test", 966, (0, 0, 0, 1), 0),
]


@pytest.mark.parametrize(("variant", "split", "n_rows", "counts", "dropped"), REAL)
def test_real_files_have_the_known_defects(real_data, variant, split, n_rows, counts, dropped):
    pairs = load_geco(real_data / "geco", variant, split)
    n_classes = len(CLASSES[variant])
    defects = found(pairs)
    names = (
        "rows without ground truth",
        "groups with the same text in two forms",
        "rows with the text of an earlier row",
        "blank words",
    )
    assert tuple(defects.get(name, 0) for name in names) == counts
    assert defects.get("groups dropped in all", 0) == dropped
    assert len(pairs) == n_rows - n_classes * dropped
    assert len(pairs.complete_groups()) * n_classes == len(pairs)
    assert len(set(pairs.texts)) == len(pairs)
    assert all(any(marks) for marks in pairs.ground_truth)
    assert "rows with more or fewer words than marks" not in defects


def test_real_truth_is_the_difference(real_data):
    pairs = load_geco(real_data / "geco", "binary_gender_all", "train")
    for rows in pairs.complete_groups().values():
        female, male = (pairs.sentences[i] for i in rows)
        differs = tuple(a != b for a, b in zip(female, male, strict=True))
        assert differs == pairs.ground_truth[rows[0]] == pairs.ground_truth[rows[1]]
    assert not any(" " in word for words in pairs.sentences for word in words)


def test_real_neutral_forms_split_entries_of_several_words(real_data):
    pairs = load_geco(real_data / "geco", "non_binary_gender_all", "train")
    assert found(pairs)["words that hold a blank"] == 50
    assert found(pairs)["marked words that are the same in all forms"] == 3
    longer = 0
    for female, male, neutral in pairs.complete_groups().values():
        assert len(pairs.sentences[female]) == len(pairs.sentences[male])
        longer += len(pairs.sentences[neutral]) > len(pairs.sentences[male])
    assert longer > 30
    neutral = pairs.where("neutral")
    position = next((r, words.index("sibling")) for r, words in enumerate(neutral.sentences) if "parent's" in words)
    assert neutral.ground_truth[position[0]][position[1] - 1 : position[1] + 1] == (True, True)


def test_sound_files_and_folders(tmp_path):
    write(tmp_path, SOUND, split="test")
    pairs = load_geco(tmp_path, split="test")
    assert pairs.labels == (1, 0)  # the order of the file
    assert pairs.groups == (90, 90)
    assert pairs.classes == ("female", "male")
    assert pairs.name == "GECO binary_gender_all test"
    assert not any(pairs.defects.values()) and len(pairs.defects) == 12
    assert load_geco(tmp_path / "binary_gender_all", split="test", repair=False) == pairs
    assert load_geco(str(tmp_path / "binary_gender_all"), split="test").sentences == pairs.sentences


def test_the_order_of_the_lines_does_not_matter(tmp_path):
    other = [row("He|hums|.", [1, 0, 0], 1, 3), row("She|hums|.", [1, 0, 0], 0, 3)]
    write(tmp_path, [SOUND[0], other[1], SOUND[1], other[0]])
    assert load_geco(tmp_path).complete_groups() == {90: (1, 0), 3: (2, 3)}


DEFECTS = [
    (
        [row("He|sees|the|.", [1, 0, 0, 0, 0], 1), row("She|sees|the|.", [1, 0, 0, 0, 0], 0)],
        {"rows with more or fewer words than marks": 2, "groups dropped in all": 1},
    ),
    (
        [row("He|sees|it|.", [1, 0, 0, 0], 1), row("She|sees|.", [1, 0, 0], 0)],
        {"groups whose forms differ in length": 1, "groups dropped in all": 1},
    ),
    ([row("He|sees|.", [1, 0, 0], 1)], {"groups that lack a form or hold it twice": 1, "groups dropped in all": 1}),
    (
        [row("He|sees|.", [1, 0, 0], 1), row("He|hears|.", [1, 0, 0], 1), row("She|sees|.", [1, 0, 0], 0)],
        {
            "groups that lack a form or hold it twice": 1,
            "unmarked words that differ between forms": 3,
            "groups dropped in all": 1,
        },
    ),
    (
        [row("They|see|.", [0, 0, 0], 1), row("They|see|.", [0, 0, 0], 0)],
        {
            "groups with the same text in two forms": 1,
            "rows without ground truth": 2,
            "rows with the text of an earlier row": 1,
            "groups dropped in all": 1,
        },
    ),
    (
        [row("He|sings|.", [1, 0, 0], 1), row("She|sings|.", [1, 0, 0], 0)],
        {"rows with the text of an earlier row": 2, "groups dropped in all": 1},
    ),
    (
        [row("He|sings| ", [1, 0, 1], 1), row("He|sings|'s", [1, 0, 1], 0)],
        {
            "blank words": 1,
            "marked words that are the same in all forms": 2,
            "rows with the text of an earlier row": 0,
            "groups with the same text in two forms": 1,
            "groups dropped in all": 1,
        },
    ),
    (
        [row("a shop boy|sings|.", [1, 0, 0], 1), row("a girl|sings|.", [1, 0, 0], 0)],
        {"words that hold a blank": 2, "groups whose forms differ in length": 1, "groups dropped in all": 1},
    ),
]


@pytest.mark.parametrize(("rows", "expected"), DEFECTS)
def test_groups_that_can_not_be_repaired_are_dropped(tmp_path, rows, expected):
    pairs = load_geco(write(tmp_path, SOUND + rows))
    assert found(pairs) == {what: n for what, n in expected.items() if n}
    assert pairs.texts == ("He sings .", "She sings .")


def test_words_are_repaired_in_all_forms_alike(tmp_path):
    rows = [
        row("The|Count|'s|dear boy|sees| it ", [0, 1, 1, 1, 0, 1], 1),
        row("The|Countess |\u00a0|dear girl|saw|it", [0, 1, 1, 1, 0, 1], 0),
    ]
    pairs = load_geco(write(tmp_path, rows))
    assert pairs.sentences == (
        ("The", "Count", "dear", "boy", "sees", "it"),
        ("The", "Countess", "dear", "girl", "saw", "it"),
    )
    assert set(pairs.ground_truth) == {(False, True, True, True, True, False)}
    assert found(pairs) == {
        "blank words": 1,
        "words that hold a blank": 2,
        "words with blanks at their ends": 2,
        "unmarked words that differ between forms": 2,
        "marked words that are the same in all forms": 2,
    }


def test_the_rows_that_lack_a_word_in_the_fourth_variant(tmp_path):
    """Its known defect: a word is missing from two of the forms, but not from the marks."""
    sound = [row(f"{who}|sing|.", [1, 0, 0], label, 5) for label, who in enumerate(("She", "He", "They"))]
    rows = [
        row("As|the|,|she|met|him|.", [0, 0, 1, 0, 1, 0, 0, 0], 0, 1534),
        row("As|the|,|he|met|her|.", [0, 0, 1, 0, 1, 0, 0, 0], 1, 1534),
        row("As|the|heir|,|they|met|them|.", [0, 0, 1, 0, 1, 0, 0, 0], 2, 1534),
    ]
    pairs = load_geco(write(tmp_path, rows + sound, "non_binary_gender_subj"), "non_binary_gender_subj")
    assert pairs.classes == GENDERS and pairs.labels == (0, 1, 2)
    assert found(pairs) == {"rows with more or fewer words than marks": 2, "groups dropped in all": 1}


def test_without_repair_defects_are_an_error(tmp_path):
    write(tmp_path, SOUND + DEFECTS[4][0])
    with pytest.raises(
        ValueError, match=r"repair=False\. Got 1 groups with the same text in two forms; 2 rows without"
    ):
        load_geco(tmp_path, repair=False)


def test_no_group_left(tmp_path):
    with pytest.raises(ValueError, match="All 1 groups were dropped"):
        load_geco(write(tmp_path, DEFECTS[2][0]))


BAD_LINES = [
    ({"sentence": "He sings."}, "line 3 must hold a list of words as 'sentence'. Got 'He sings.'"),
    ({"sentence": []}, "line 3 must hold a list of words"),
    ({"sentence": ["He", 3]}, "line 3 must hold a list of words"),
    ({"ground_truth": [1, 0, 2]}, "line 3 must hold a list of 0 and 1 as 'ground_truth'"),
    ({"ground_truth": None}, "line 3 must hold a list of 0 and 1 as 'ground_truth'. Got None"),
    ({"target": 2}, "line 3 must hold a number from 0 to 1 as 'target'"),
    ({"target": True}, "as 'target'"),
    ({"gender": "female"}, "line 3 must hold as 'gender' the name of its 'target' 1, 'male'"),
    ({"sentence_idx": "7"}, "line 3 must hold an integer as 'sentence_idx'"),
]


@pytest.mark.parametrize(("change", "message"), BAD_LINES)
def test_lines_that_are_not_of_the_format(tmp_path, change, message):
    rows = [*SOUND, row("He|hums|.", [1, 0, 0], 1, 7, **change)]
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        load_geco(write(tmp_path, rows))
    assert "train.jsonl" in str(error.value)


def test_marks_may_be_floats_and_the_gender_may_be_missing(tmp_path):
    rows = [{key: value for key, value in one.items() if key != "gender"} for one in SOUND]
    rows[0]["ground_truth"] = [1.0, 0.0, 0.0]
    assert load_geco(write(tmp_path, rows)).ground_truth[0] == (True, False, False)


def test_files_that_are_not_there_or_not_json(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file\. fetch_geco downloads"):
        load_geco(tmp_path / "nowhere")
    write(tmp_path, [])
    with pytest.raises(ValueError, match="Got an empty file"):
        load_geco(tmp_path)
    (tmp_path / "binary_gender_all" / "train.jsonl").write_text("{}\n{", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2 is not valid JSON"):
        load_geco(tmp_path)
    with pytest.raises(NotADirectoryError, match="Got a file"):
        load_geco(tmp_path / "binary_gender_all" / "train.jsonl")


def test_bad_parameters(tmp_path):
    with pytest.raises(ValueError, match=r"The 'variant' parameter of load_geco must be one of .* Got 'all'"):
        load_geco(tmp_path, "all")
    with pytest.raises(ValueError, match="The 'split' parameter of load_geco"):
        load_geco(tmp_path, split="dev")
    with pytest.raises(TypeError, match=r"The 'path' parameter of load_geco must be a path\. Got int"):
        load_geco(3)
    write(tmp_path, SOUND)
    with pytest.raises(ValueError, match="Got that of 'binary_gender_all': pass variant='binary_gender_all'"):
        load_geco(tmp_path / "binary_gender_all", "binary_gender_subj")


WORD = st.sampled_from(["he", "she", " ", "", "a b", "x", " y", "\u2028", "é"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(WORD, min_size=1, max_size=4), st.integers(0, 1), st.integers(0, 3)), max_size=8))
def test_whatever_the_words_what_is_kept_is_sound(tmp_path_factory, drawn):
    rows = [row(words, [0] * len(words), label, group) for words, label, group in drawn]
    pairs = load_geco(write(tmp_path_factory.mktemp("geco"), SOUND + rows))
    assert len(pairs.complete_groups()) * 2 == len(pairs)
    for female, male in pairs.complete_groups().values():
        differs = tuple(a != b for a, b in zip(pairs.sentences[female], pairs.sentences[male], strict=True))
        # A blank within an entry is split with its mark, so parts that agree may be marked, never the reverse.
        assert all(mark >= differ for mark, differ in zip(pairs.ground_truth[female], differs, strict=True))
        assert any(differs)
