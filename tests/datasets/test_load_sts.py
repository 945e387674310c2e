"""load_sts: each form of file, what is wrong with one, and the real ones."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xembed.datasets import STSPairs, load_sts

STSB = (
    'main-captions\tMSRvid\t2012test\t0001\t5.000\tA "plane" lands.\tAn air plane lands.\n'
    "main-news\theadlines\t2013\t7\t\tNo score.\tNone here.\n"
    "main-news\tMSRpar\t2012train\t8\t1.25\tRates rose.\tIt rained.\tlicence\tsource\n"
)
SICK = (
    "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
    "1\tA dog runs\tA dog is running\t4.9\tENTAILMENT\n"
    "2\tA dog runs\tA man cooks\t1\tNEUTRAL\n"
)


@pytest.fixture
def make(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def semeval(make, tmp_path):
    def write(**parts):
        for part, (sentences, scores) in parts.items():
            make(f"task/STS.input.{part}.txt", sentences)
            if scores is not None:
                make(f"task/STS.gs.{part}.txt", scores)
        return tmp_path / "task"

    return write


ONE = ("a cat\ta kitten\nrain\ta train\nsun\tmoon\n", "4.5\n\n1\n")
TWO = ("a dog\ta puppy\textra\nfog\ta frog\n", "4.0\r\n0.5\r\n")


def test_stsb(make):
    (found,) = load_sts(make("sts-dev.csv", STSB))
    assert found.name == "sts-dev"
    assert found.first == ('A "plane" lands.', "Rates rose.")
    assert found.second == ("An air plane lands.", "It rained.")
    np.testing.assert_array_equal(found.scores, [5.0, 1.25])
    assert found.subset == ("main-captions", "main-news")
    assert found.n_unscored == 1


def test_sick(make):
    (found,) = load_sts(make("SICK_train.txt", SICK))
    assert (found.name, found.first[1], found.second[1]) == ("SICK_train", "A dog runs", "A man cooks")
    np.testing.assert_array_equal(found.scores, [4.9, 1.0])
    assert found.subset is None


def test_semeval(semeval):
    first, second = load_sts(semeval(b=ONE, a=TWO, ALL=ONE))
    assert (first.name, second.name) == ("task/a", "task/b")
    assert first.second == ("a puppy", "a frog")
    assert second.first == ("a cat", "sun")
    assert (first.n_unscored, second.n_unscored) == (0, 1)


def test_semeval_all_alone(semeval):
    (found,) = load_sts(semeval(ALL=TWO))
    assert (found.name, len(found)) == ("task/ALL", 2)


TABLE = {"sentence1": ["a, b", "c"], "sentence2": ["d", 'e "f"'], "score": [0.5, 3]}


def write_table(path, columns):
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    else:
        import pandas as pd

        quoting = {"sep": "\t", "quoting": csv.QUOTE_NONE} if path.suffix == ".tsv" else {}
        pd.DataFrame(columns).to_csv(path, index=False, **quoting)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_tables(tmp_path, suffix):
    (found,) = load_sts(write_table(tmp_path / f"mine{suffix}", TABLE))
    assert (found.name, found.first, found.second) == ("mine", ("a, b", "c"), ("d", 'e "f"'))
    np.testing.assert_array_equal(found.scores, [0.5, 3.0])


def test_names_of_columns(tmp_path):
    path = write_table(tmp_path / "mine.csv", {"x": ["a", "b"], "y": ["c", "d"], "gold": [None, 2]})
    (found,) = load_sts(path, sentence1="x", sentence2="y", score="gold")
    assert (found.first, found.n_unscored) == (("b",), 1)
    with pytest.raises(ValueError, match=r"'sentence2' parameter of load_sts.* must be one of {'gold', 'x', 'y'}"):
        load_sts(path, sentence1="x")


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("sts-dev.csv", STSB + "main\tx\t2012\t9\t1.0\tOnly one.\n", "line 4 must hold 7 cells.*Got 6"),
        ("sts-dev.csv", STSB + "main\tx\t2012\t9\tgood\tOne.\tTwo.\n", "line 4 must hold a finite number.*'good'"),
        ("sts-dev.csv", STSB + "main\tx\t2012\t9\tnan\tOne.\tTwo.\n", "line 4 must hold a finite number.*'nan'"),
        ("sts-dev.csv", STSB + "main\tx\t2012\t9\t2\tOne.\t \n", "line 4 must hold two sentences. Got ' '"),
        ("SICK.txt", SICK + "3\tA dog runs\n", "line 4 must hold 5 cells, as its header. Got 2"),
        ("SICK.txt", SICK + "3\tA\tB\tinf\tNEUTRAL\n", "line 4 must hold a finite number.*'inf'"),
        ("notes.txt", "Hello\n", "must be a file of the STS Benchmark, of SICK, or a table"),
        ("empty.txt", "", "must be a file of the STS Benchmark, of SICK, or a table"),
        ("a.npy", b"x", "must be a file of the STS Benchmark, of SICK, or a table"),
        ("a.csv", "sentence1,sentence2,score\na,b,\n", "holds no pair with a score. 1 without one"),
        ("a.csv", "sentence1,sentence2,score\na,b,3\nc,d,high\n", "row 1 must hold a finite number.*'high'"),
        ("a.jsonl", '{"sentence1": "a", "sentence2": null, "score": 1}\n', "line 1 must hold two sentences. Got None"),
        ("a.jsonl", '{"sentence1": "a", "sentence2": "b", "score": true}\n', "line 1 must hold a finite number"),
        ("a.csv", "sentence1,score\na,1\n", "'sentence2' parameter of load_sts, a column of .*, must be one of"),
    ],
)
def test_bad_files(make, name, content, match):
    with pytest.raises(ValueError, match=match):
        load_sts(make(name, content))


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ({"a": ONE, "b": (ONE[0], "1\n2\n")}, "STS.gs.b.txt.* must hold one line .* Got 2 for 3"),
        ({"a": ONE, "b": (ONE[0], None)}, r"Got no STS.gs.b.txt"),
        ({"a": ONE, "b": ("one\n", "1\n")}, "STS.input.b.txt': line 1 must hold two sentences with a tab"),
        ({"a": ("x\ty\nu\tv\n", "1\nhigh\n")}, "STS.input.a.txt': line 2 must hold a finite number"),
        ({"a": ("x\ty\nu\tv\n", "\n\n")}, "holds no pair with a score"),
    ],
)
def test_bad_folders(semeval, parts, match):
    with pytest.raises(ValueError, match=match):
        load_sts(semeval(**parts))


def test_scores_without_sentences(semeval, make):
    make("task/STS.gs.b.txt", "1\n")
    with pytest.raises(ValueError, match=r"Got no STS.input.b.txt"):
        load_sts(semeval(a=ONE))


def test_other_folders_and_paths(tmp_path):
    with pytest.raises(ValueError, match=r"must hold files STS.input.\*.txt and STS.gs.\*.txt"):
        load_sts(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_sts(tmp_path / "sts-dev.csv")
    with pytest.raises(TypeError, match="'path' parameter of load_sts"):
        load_sts(None)


# ------------------------------------------------------------------------------------------------- STSPairs


@pytest.fixture
def pairs():
    return STSPairs("mine", list("abcd"), list("efga"), [1, 2, 3, 4], subset=list("xxyy"), n_unscored=2)


def test_pairs(pairs):
    assert (len(pairs), repr(pairs)) == (4, "STSPairs('mine': 4 pairs)")
    assert pairs.sentences == tuple("abcdefg")
    assert pairs.scores.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        pairs.scores[0] = 3


def test_scores_are_a_copy():
    scores = np.array([1.0, 2.0])
    found = STSPairs("mine", ["a", "b"], ["c", "d"], scores)
    scores[0] = 9.0
    assert found.scores[0] == 1.0


def test_sample(pairs):
    found = pairs.sample(2, rng=1)
    rows = [pairs.first.index(text) for text in found.first]
    assert rows == sorted(set(rows))
    np.testing.assert_array_equal(found.scores, pairs.scores[rows])
    assert found.subset == tuple(pairs.subset[i] for i in rows)
    assert found.second == tuple(pairs.second[i] for i in rows)
    assert pairs.sample(4).first == pairs.first
    with pytest.raises(ValueError, match="at most 4, the number of pairs"):
        pairs.sample(5)


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"name": " "}, ValueError, "'name' of STSPairs"),
        ({"first": ["a"]}, ValueError, "must have one item a pair"),
        ({"scores": [1.0]}, ValueError, "must have one item a pair"),
        ({"scores": [[1.0, 2.0]]}, ValueError, "must have one item a pair"),
        ({"subset": ["x"]}, ValueError, "must have one item a pair"),
        ({"scores": [1.0, np.nan]}, ValueError, r"must be finite. Got 1 that is not \(first: pair 1\)"),
        ({"scores": ["high", "low"]}, TypeError, "must be numbers"),
        ({"second": ["a", ""]}, ValueError, "second holds 1 blank text"),
        ({"second": ["a", 3]}, TypeError, "second holds 1 item that is not a string"),
        ({"first": [], "second": [], "scores": []}, ValueError, "first must hold at least 1 text"),
    ],
)
def test_bad_pairs(changes, error, match):
    with pytest.raises(error, match=match):
        STSPairs(**({"name": "mine", "first": ["a", "b"], "second": ["c", "d"], "scores": [1.0, 2.0]} | changes))


# ------------------------------------------------------------------------------------------------- real data


@pytest.mark.parametrize(
    ("path", "sizes"),
    [
        ("STSBenchmark/sts-train.csv", {"sts-train": 5749}),
        ("STSBenchmark/sts-dev.csv", {"sts-dev": 1500}),
        ("SICK/SICK_train.txt", {"SICK_train": 4500}),
        ("SICK/SICK_trial.txt", {"SICK_trial": 500}),
        (
            "STS12-en-test",
            {"MSRpar": 750, "MSRvid": 750, "SMTeuroparl": 459, "surprise.OnWN": 750, "surprise.SMTnews": 399},
        ),
    ],
)
def test_real_data(real_data, path, sizes):
    found = load_sts(real_data / "sts" / path)
    assert {item.name.removeprefix("STS12-en-test/"): len(item) for item in found} == sizes
    assert all(item.n_unscored == 0 for item in found)
    assert all(0 <= item.scores.min() < item.scores.max() <= 5 for item in found)
    assert all(not text.endswith(("\r", "\n")) for item in found for text in item.sentences)
