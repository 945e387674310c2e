"""load_dictionary: files, WordNet's format, the bundled dictionary, and the Dictionary itself."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xembed.datasets import Dictionary, load_dictionary

DATA = Path(__file__).parents[2] / "datasets"

# Synsets in WordNet's format, with made-up words: offset, file, kind, count of words in hexadecimal, words and ids,
# count of pointers, pointers, gloss.
SYNSETS = {
    "noun": "00000100 03 n 02 glim 0 Glim 0 001 @ 00000200 n 0000 | a light that blinks  \n"
    '00000200 03 n 02 Tall_Wend 0 wend 1 000 | a river; slow and wide; "the Wend rose"; "by the Wend"  \n',
    "verb": "00000300 29 v 01 glim 0 000 01 + 02 00 | to blink;  \n",
    "adj": "00000400 00 a 0a a1 0 a2 0 a3 0 a4 0 a5 0 a6 0 a7 0 a8 0 wendish(a) 0 glimmy(ip) 0 000 | of the Wend  \n"
    "00000500 00 s 01 up(p) 0 000 | awake  \n",
    "adv": "00000600 02 r 01 glimly 0 000 |   \n",
}
LICENCE = "  1 This is made up.  \n  2 Use it as you like.  \n"


@pytest.fixture
def make(tmp_path):
    def write(name, content, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


@pytest.fixture
def wordnet(tmp_path):
    def write(**changes):
        folder = tmp_path / "wn"
        folder.mkdir()
        for part, content in (SYNSETS | changes).items():
            if content is not None:
                (folder / f"data.{part}").write_text(LICENCE + content, encoding="utf-8")
        return folder

    return write


# ------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("header", ["", "entry\tdefinition\n", "Word\tDefinitions\n"])
@pytest.mark.parametrize("name", ["a.tsv", "a.TSV", "a.txt", "a.csv"])
def test_tabs(make, name, header):
    found = load_dictionary(make(name, f'{header}rain\twater that "falls"\nkettle\ta vessel\n\nrain\tto fall so\r\n'))
    assert found.entries == ("rain", "kettle")
    assert found.definitions == (('water that "falls"', "to fall so"), ("a vessel",))
    assert (found.name, len(found), found.n_definitions) == ("a", 2, 3)
    assert (found.n_dropped_empty, found.n_duplicates) == (0, 0)


def test_commas(make):
    found = load_dictionary(make("a.csv", 'entry,definition\nrain,"water, that ""falls"""\n"a, b",one\n'))
    assert dict(zip(found.entries, found.definitions, strict=True)) == {
        "rain": ('water, that "falls"',),
        "a, b": ("one",),
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_published_form(make, encoding):
    content = "rain\twater that falls<|list_more_def|>to fall so<|list_more_def|>\nné\tborn\n"
    found = load_dictionary(make("Ox+WN.csv", content, encoding))
    assert list(found.pairs()) == [("rain", "water that falls"), ("rain", "to fall so"), ("né", "born")]
    assert found.n_dropped_empty == 1


def test_empty_and_repeated_definitions_are_counted(make):
    found = load_dictionary(make("a.tsv", "rain\tfalls\nrain\t \nrain\tfalls \nRain\tfalls\nRain\tRain\nsun\t\n"))
    assert list(found.pairs()) == [("rain", "falls"), ("Rain", "Rain")]
    assert (found.n_dropped_empty, found.n_duplicates) == (2, 2)


def test_separators_within_a_text_do_not_end_a_line(make):
    found = load_dictionary(make("a.tsv", "rain\twater\u2028falls\x0c\x85\n"))
    assert found.definitions == (("water\u2028falls",),)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.tsv", "rain\tfalls\nsun\n", "line 2 must hold an entry and a definition with one tab.*Got 1 cell"),
        ("a.tsv", "rain\tfalls\tdown\n", "line 1 must hold .* Got 3 cells"),
        ("a.csv", "rain,falls,down\n", "line 1 must hold .* one comma .* Got 3 cells"),
        ("a.csv", 'rain,"two\nlines"\nsun\n', "line 3 must hold .* Got 1 cell"),
        ("a.csv", 'rain,"open\n', "not well-formed at line 1"),
        ("a.tsv", "\tfalls\n", "line 1 must hold an entry before its definition"),
        ("a.tsv", "", "holds no definition\\. 0 empty ones"),
        ("a.tsv", "entry\tdefinition\n", "holds no definition\\. 0 empty ones"),
        ("a.tsv", "rain\t\nsun\t \n", "holds no definition. 2 empty ones"),
        ("a.json", "{}", "must end in one of .csv, .tsv, .txt"),
        ("a.tsv", b"rain\t\xff\n", "must be UTF-8, but byte 5"),
        ("a.tsv", b"\xff\xfea\x00\x00", "not valid UTF-16"),
        ("a.tsv", b"\xff\xfe\x00\x00a\x00\x00\x00", "byte order mark of UTF-32"),
    ],
)
def test_bad_files(make, name, content, match):
    with pytest.raises(ValueError, match=match):
        load_dictionary(make(name, content))


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_dictionary(tmp_path / "a.tsv")
    with pytest.raises(TypeError, match="'path' parameter of load_dictionary"):
        load_dictionary(3)


# ------------------------------------------------------------------------------------------------- WordNet


def test_wordnet(wordnet):
    found = load_dictionary(wordnet())
    assert list(found.pairs()) == [
        ("glim", "a light that blinks"),
        ("glim", "to blink"),
        ("Tall Wend", "a river; slow and wide"),
        ("wend", "a river; slow and wide"),
        *((f"a{i}", "of the Wend") for i in range(1, 9)),
        ("wendish", "of the Wend"),
        ("glimmy", "of the Wend"),
        ("up", "awake"),
    ]
    assert (found.n_dropped_empty, found.n_duplicates) == (1, 1)  # the adverb's, and "Glim" besides "glim"
    assert found.name == "wn"
    assert found.card == "This is made up.\nUse it as you like."


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"adv": None}, r"lacks \['data.adv'\]"),
        ({"noun": "00000100 03 n 03 glim 0 000 | a light\n"}, "line 3 of data.noun is not a synset"),
        ({"verb": "00000300 29 v 01 glim 0 000 01 + 02 00\n"}, "line 3 of data.verb is not a synset"),
        ({"adj": "short | gloss\n"}, "line 3 of data.adj is not a synset"),
        ({"adj": "00000400 00 a zz up 0 000 | gloss\n"}, "line 3 of data.adj is not a synset"),
        ({"adj": "00000400 00 a 00 000 | gloss\n"}, "line 3 of data.adj is not a synset"),
    ],
)
def test_bad_wordnet(wordnet, changes, match):
    with pytest.raises(ValueError, match=match):
        load_dictionary(wordnet(**changes))


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a file, or the folder of a WordNet database"):
        load_dictionary(tmp_path)


@pytest.fixture(scope="module")
def real_wordnet(wordnet_folder):
    return load_dictionary(wordnet_folder)


def test_the_real_wordnet(real_wordnet):
    found = real_wordnet
    assert found.n_definitions == 206_906
    assert found.n_definitions + found.n_duplicates == 206_978  # words of synsets
    assert found.n_dropped_empty == 0
    assert len(found) == 148_716
    assert "WordNet 3.0" in found.card
    group = dict(zip(found.entries, found.definitions, strict=True))
    assert "physical entity" in group
    assert not [entry for entry in found.entries if "_" in entry or re.search(r"\((a|p|ip)\)$", entry)]
    assert not [text for _, text in found.pairs() if '; "' in text or text != text.strip("; ")]


# ------------------------------------------------------------------------------------------------- Dictionary


def test_from_mapping():
    found = Dictionary.from_mapping({"rain": "falls", "sun": ["shines", " ", "shines"], "fog": []}, name="mine")
    assert list(found.pairs()) == [("rain", "falls"), ("sun", "shines")]
    assert (found.name, found.n_dropped_empty, found.n_duplicates) == ("mine", 1, 1)
    assert repr(found) == "Dictionary('mine': 2 entries, 2 definitions)"
    assert repr(Dictionary.from_mapping({"a": "b"})) == "Dictionary('mapping': 1 entry, 1 definition)"


@pytest.mark.parametrize(
    ("mapping", "error", "match"),
    [
        ([("rain", "falls")], TypeError, "must be a mapping"),
        ({}, ValueError, "The mapping holds no definition"),
        ({"rain": ""}, ValueError, "1 empty one was dropped"),
        ({" ": "falls"}, ValueError, "entries of the mapping holds 1 blank text"),
        ({1: "falls"}, TypeError, "entries of the mapping holds 1 item that is not a string"),
        ({"rain": [1]}, TypeError, "definitions of 'rain' holds 1 item that is not a string"),
        ({"rain": None}, TypeError, "definitions of 'rain' must be a list of strings"),
        ({"rain": "\ud800"}, ValueError, "not valid Unicode"),
    ],
)
def test_bad_mappings(mapping, error, match):
    with pytest.raises(error, match=match):
        Dictionary.from_mapping(mapping)


@pytest.mark.parametrize(
    ("entries", "definitions", "error", "match"),
    [
        ((), (), ValueError, "entries must hold at least 1 text"),
        (("a", "a"), (("b",), ("c",)), ValueError, "each entry once. Got 'a' more than once"),
        (("a",), (("b",), ("c",)), ValueError, "Got 2 for 1 entries"),
        (("a",), ((),), ValueError, "definitions of 'a' must hold at least 1 text"),
        (("a",), ((" ",),), ValueError, "definitions of 'a' holds 1 blank text"),
        (("a",), ("b",), TypeError, "definitions of 'a' must be a list of strings"),
        (("a",), "b", TypeError, "sequence of sequences of strings"),
        (("a",), None, TypeError, "sequence of sequences of strings"),
    ],
)
def test_bad_dictionaries(entries, definitions, error, match):
    with pytest.raises(error, match=match):
        Dictionary("mine", entries, definitions)


@pytest.fixture(scope="module")
def numbers():
    return Dictionary("numbers", [f"n{i}" for i in range(40)], [[f"the number {i}", f"{i}"] for i in range(40)])


def test_sample(numbers):
    found = numbers.sample(10, rng=3)
    order = [numbers.entries.index(entry) for entry in found.entries]
    assert order == sorted(set(order))
    assert len(found) == 10
    assert found.definitions == tuple(numbers.definitions[i] for i in order)
    assert numbers.sample(10, rng=3).entries == found.entries
    assert numbers.sample(10).entries == numbers.sample(10, rng=0).entries != found.entries
    assert numbers.sample(40).entries == numbers.entries


@given(st.floats(0, 1, exclude_min=True, exclude_max=True), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_split_parts_the_entries(fraction, seed):
    whole = Dictionary("whole", [f"n{i}" for i in range(7)], [[f"{i}"] for i in range(7)])
    rest, held_out = whole.split(fraction, rng=seed)
    assert sorted(rest.entries + held_out.entries) == sorted(whole.entries)
    assert len(held_out) == min(max(round(7 * fraction), 1), 6)
    assert (rest.name, held_out.name) == ("whole (rest)", "whole (held out)")


@pytest.mark.parametrize(
    ("function", "error", "match"),
    [
        (lambda d: d.sample(41), ValueError, "at most 40, the number of entries. Got 41"),
        (lambda d: d.sample(0), ValueError, "'n' parameter of Dictionary.sample"),
        (lambda d: d.sample(1.0), TypeError, "'n' parameter of Dictionary.sample"),
        (lambda d: d.sample(1, rng="a"), TypeError, "'rng' parameter of Dictionary.sample"),
        (lambda d: d.split(0), ValueError, r"number in \(0, 1\)"),
        (lambda d: d.split(1.0), ValueError, r"number in \(0, 1\)"),
        (lambda d: d.split("a"), TypeError, "'fraction' parameter of Dictionary.split"),
        (lambda d: d.sample(1).split(0.5), ValueError, "at least 2 entries"),
    ],
)
def test_bad_options(numbers, function, error, match):
    with pytest.raises(error, match=match):
        function(numbers)


def test_training_reads_it():
    from xembed.defsent._definitions import read_definitions

    found = read_definitions(load_dictionary(), None, caller="a test")
    assert len(found.texts) == load_dictionary().n_definitions


# ------------------------------------------------------------------------------------------------- the bundled one


@pytest.fixture(scope="module")
def bundled():
    return load_dictionary()


def test_bundled_is_clean(bundled):
    assert 500 <= len(bundled) <= 600
    assert all(1 <= len(group) <= 2 for group in bundled.definitions)
    assert (bundled.n_dropped_empty, bundled.n_duplicates) == (0, 0)
    texts = [text for _, text in bundled.pairs()]
    assert len(set(texts)) == len(texts)
    assert all(text == " ".join(text.split()) and text.isascii() and not text.endswith(".") for text in texts)
    assert all(4 <= len(text.split()) <= 25 for text in texts)
    assert all(entry == " ".join(entry.split()) for entry in bundled.entries)


def test_bundled_definitions_do_not_name_their_entry(bundled):
    named = [(entry, text) for entry, text in bundled.pairs() if re.search(rf"\b{re.escape(entry)}\b", text)]
    assert named == []


def test_card_holds_for_the_file(bundled):
    lines = (DATA / "dictionary.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "entry\tdefinition"
    assert len(lines) == bundled.n_definitions + 2  # the header, and what follows the last line feed
    card = bundled.card
    assert card == (DATA / "dictionary.md").read_text(encoding="utf-8")
    assert f"{len(bundled)} entries" in card
    assert f"{bundled.n_definitions} definitions" in card
    two = sum(len(group) == 2 for group in bundled.definitions)
    assert f"{two} have two" in card
    mean = sum(len(text.split()) for _, text in bundled.pairs()) / bundled.n_definitions
    assert f"{mean:.0f} words on average" in card
    assert "BSD-3-Clause" in card


def test_the_folder_s_list_names_it(bundled):
    row = next(
        line for line in (DATA / "README.md").read_text(encoding="utf-8").split("\n") if "dictionary.tsv" in line
    )
    assert str(len(bundled)) in row


def test_bundled_definitions_are_our_own(bundled, real_wordnet):
    theirs = {text.lower() for _, text in real_wordnet.pairs()}
    assert [text for _, text in bundled.pairs() if text.lower() in theirs] == []
