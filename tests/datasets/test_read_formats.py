"""The reader's formats, encodings, delimiters and limits: what is read, and what is refused with its place."""

import gzip
import io
import json
import os
import re
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xembed.datasets import load_dictionary, load_sts, read_columns, read_embeddings, read_texts, write_table
from xembed.datasets._tables import as_day, as_times

KETTLES = ["The kettle leaks.", "Boils in two minutes, quietly", 'The "fast" one']


@pytest.fixture
def make(tmp_path):
    def write(name, content):
        path = tmp_path / name
        content = content.encode("utf-8") if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return path

    return write


@pytest.fixture
def stdin(monkeypatch):
    def give(content):
        stream = io.TextIOWrapper(io.BytesIO(content if isinstance(content, bytes) else content.encode()))
        monkeypatch.setattr(sys, "stdin", stream)

    return give


# -------------------------------------------------------------------------------- formats, packed or from a pipe

CONTENTS = {
    ".txt": "".join(f"{text}\n" for text in KETTLES),
    ".csv": 'text,n\nThe kettle leaks.,0\n"Boils in two minutes, quietly",1\n"The ""fast"" one",2\n',
    ".tsv": "text\tn\n" + "".join(f"{text}\t{i}\n" for i, text in enumerate(KETTLES)),
    ".jsonl": "".join(json.dumps({"text": text, "n": i}) + "\n" for i, text in enumerate(KETTLES)),
    ".json": json.dumps([{"text": text, "n": i} for i, text in enumerate(KETTLES)], indent=1),
}


@pytest.mark.parametrize("packed", ["", ".gz", ".GZ"])
@pytest.mark.parametrize("suffix", CONTENTS)
def test_formats(make, tmp_path, suffix, packed):
    path = tmp_path / f"kettles.v2{suffix}{packed}"
    path.write_bytes(gzip.compress(CONTENTS[suffix].encode(), mtime=0) if packed else CONTENTS[suffix].encode())
    table = read_texts(path)
    assert (table.name, list(table.texts)) == ("kettles.v2", KETTLES)
    assert table.unit == ("line" if suffix in {".txt", ".jsonl"} else "row")
    assert table.rows == ((1, 2, 3) if table.unit == "line" else (0, 1, 2))


@pytest.mark.parametrize(
    "content", [json.dumps(KETTLES), json.dumps({"text": KETTLES, "n": [5, None, 7]}), "\ufeff" + json.dumps(KETTLES)]
)
def test_json_of_strings_and_of_columns(make, content):
    assert list(read_texts(make("a.json", content)).texts) == KETTLES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "holds no texts"),
        ("", "holds no texts"),
        ("5", "must hold a list of objects or strings, or an object of equally long lists. Got int"),
        ("[[1]]", "item 0 must hold a JSON object or a string. Got list"),
        ('{"text": "a"}', r"Got an object whose 'text' is str. With an object a line give it the ending .jsonl"),
        ('{"text": ["a"], "n": [1, 2]}', "Got lists of the lengths"),
        ('[{"text": "a"},\n {"text": }]', r"is not valid JSON: Expecting value at line 2, column 11"),
        ('[{"text": "a", "text": "b"}]', "has the key 'text' more than once"),
        ("[" * 150 + "]" * 150, "nested in more than 100 levels"),
    ],
)
def test_json_errors(make, content, message):
    with pytest.raises(ValueError, match=message):
        read_texts(make("a.json", content))


def test_a_key_twice_in_a_line(make):
    with pytest.raises(ValueError, match=r"line 2 can't be read: an object has the key 'text' more than once"):
        read_texts(make("a.jsonl", '{"text": "a"}\n{"text": "b", "text": "c"}\n'))


def test_json_named_jsonl(make):
    with pytest.raises(ValueError, match=r"As a whole it is JSON: give it the ending .json"):
        read_texts(make("a.jsonl", json.dumps([{"text": "a"}], indent=1)))


@pytest.mark.parametrize(
    ("content", "options", "n_columns"),
    [
        (CONTENTS[".txt"], {}, 1),
        (CONTENTS[".jsonl"], {}, 2),
        (CONTENTS[".json"], {}, 2),
        (CONTENTS[".csv"], {"text_column": "text"}, 2),
        (CONTENTS[".csv"].replace("n\n", "n\n"), {"id_column": "n"}, 2),
        (CONTENTS[".csv"], {"delimiter": ","}, 2),
        (gzip.compress(CONTENTS[".txt"].encode(), mtime=0), {}, 1),
    ],
)
def test_standard_input(stdin, content, options, n_columns):
    stdin(content)
    table = read_texts("-", **options)
    assert (table.name, list(table.texts), len(table.columns)) == ("stdin", KETTLES, n_columns)


def test_standard_input_of_parquet_and_nothing(stdin):
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": KETTLES}), stream)
    stdin(stream.getvalue())
    assert list(read_texts("-").texts) == KETTLES
    stdin("")
    with pytest.raises(ValueError, match=r"standard input holds no texts"):
        read_texts("-")


def test_a_pipe_of_the_shell():
    read, write = os.pipe()
    os.write(write, CONTENTS[".txt"].encode())
    os.close(write)
    assert list(read_texts(f"/dev/fd/{read}").texts) == KETTLES
    os.close(read)


def test_named_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    for path in (tmp_path / "a.txt", "/dev/zero"):
        with pytest.raises(OSError, match=r"it is a device, a socket or a named pipe. Give an ordinary file"):
            read_texts(path)


def test_round_trip_of_lines_that_end_with_carriage_returns(make):
    assert read_texts(make("a.txt", "One\rTwo\r")).texts == ("One", "Two")
    assert read_texts(make("a.csv", "text,n\rOne,1\rTwo,2\r")).texts == ("One", "Two")


# ------------------------------------------------------------------------------------------------ round trips

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
TEXTS = st.lists(CELLS.filter(str.strip), min_size=1, max_size=6)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@given(texts=TEXTS, data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_reads_back(tmp_path, suffix, packed, texts, data):
    cells = st.lists(CELLS, min_size=len(texts), max_size=len(texts))
    others = data.draw(cells)
    path = tmp_path / f"a{suffix}"
    write_table(path, {"text": texts, "other": others})
    if packed:
        packed_path = tmp_path / f"a{suffix}.gz"
        packed_path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path = packed_path
    table = read_texts(path)

    def unescaped(values):  # the apostrophe before what a spreadsheet would run
        return [value[1:] if suffix == ".csv" and re.match("'[=+@\t\r-]", value) else value for value in values]

    assert unescaped(table.texts) == unescaped(texts)
    assert unescaped(table.column("other")) == unescaped(others)


@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters='\0\r\n\t"')).filter(str.strip), min_size=1)
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_read_back(tmp_path, texts):
    (tmp_path / "a.tsv").write_text("text\tn\n" + "".join(f"{t}\t0\n" for t in texts), encoding="utf-8", newline="")
    assert list(read_texts(tmp_path / "a.tsv").texts) == texts


# ---------------------------------------------------------------------------------------- delimiters and headers


@pytest.mark.parametrize("delimiter", [";", "|", "\t", "^", "~", ":"])
def test_another_delimiter(make, delimiter):
    path = make("a.csv", f"text{delimiter}label\nGood, really{delimiter}1\nBad{delimiter}0\n")
    shown = re.escape(repr(delimiter))
    with pytest.raises(ValueError, match=rf"pass delimiter={shown} \(--delimiter {shown}\)"):
        read_texts(path)
    table = read_texts(path, delimiter=delimiter)
    assert (table.texts, table.labels) == (("Good, really", "Bad"), ("1", "0"))


def test_the_tab_as_the_shell_writes_it(make):
    assert read_texts(make("a.csv", "text\tn\na, b\t1\n"), delimiter=r"\t").texts == ("a, b",)


def test_another_delimiter_though_a_comma_is_in_the_header(make):
    path = make("a.csv", "text;what, if any\nGood;1\nBad, very, bad;0\n")
    with pytest.raises(ValueError, match=r"pass delimiter=';' \(--delimiter ';'\)"):
        read_texts(path)
    assert read_texts(path, delimiter=";").texts == ("Good", "Bad, very, bad")


def test_a_delimiter_within_texts_is_none(make):
    assert len(read_texts(make("a.csv", "text,n\na;b,1\nc;d,2\n"))) == 2
    assert len(read_texts(make("b.csv", 'text,n\n"a;b, c",1\nd;e,2\n'))) == 2


def test_a_name_with_a_delimiter_can_be_asked_for(make):
    assert read_texts(make("a.csv", "Q1: why\nBecause\n"), text_column="Q1: why").texts == ("Because",)


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "a", "5", "§", 5])
def test_delimiters_that_are_none(make, delimiter):
    with pytest.raises(ValueError, match="'delimiter' parameter of read_texts must be one ASCII character"):
        read_texts(make("a.csv", "text\na\n"), delimiter=delimiter)


@pytest.mark.parametrize("first", ["The handle broke off", "Broken!", "Really?", "Wieder kaufen würde ich", "好用。"])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_text_in_place_of_the_header(make, first, suffix):
    path = make(f"a.{suffix}", f"{first}\nLid is loose\nCame late\n")
    with pytest.raises(ValueError, match=r"looks like a text: without such a line, give it the ending .txt"):
        read_texts(path)
    assert len(read_texts(path, text_column=first)) == 2
    assert len(read_texts(make("a.txt", path.read_bytes()))) == 3


def test_a_text_in_place_of_the_header_beside_numbers(make):
    with pytest.raises(ValueError, match="looks like a text"):
        read_texts(make("a.jsonl.csv", "The handle broke off,label\nLid is loose,1\n"))


# ------------------------------------------------------------------------------------------- rows and quotes


def test_an_empty_line_of_the_only_column_is_a_blank_text(make):
    path = make("a.csv", "text\none\n\nthree\n")
    with pytest.raises(ValueError, match=r"holds 1 blank text \(first: row 1\)"):
        read_texts(path)
    table = read_texts(path, skip_blank=True)
    assert (table.texts, table.rows, table.skipped) == (("one", "three"), (0, 2), (1,))
    tsv = read_texts(make("a.tsv", "text\none\n\nthree\n"), skip_blank=True)
    assert (tsv.rows, tsv.skipped) == ((0, 2), (1,))


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize(("row", "n"), [("a", 1), ("a,1,2", 3), ("a,1,", 3)])
def test_rows_with_more_or_fewer_cells(make, suffix, row, n):
    content = f"text,n\nfirst,0\n\n{row}\nlast,9\n".replace(",", "," if suffix == "csv" else "\t")
    with pytest.raises(ValueError, match=rf"line 4 holds {n} cells?, the first line names 2 columns"):
        read_texts(make(f"a.{suffix}", content))


def test_lines_are_counted_within_quoted_cells(make):
    with pytest.raises(ValueError, match="line 5 holds 1 cell, the first line names 2 columns"):
        read_texts(make("a.csv", 'text,n\n"one\ntwo\nthree",1\nfour\n'))


def test_cells_of_several_lines(make):
    table = read_texts(make("a.csv", 'text,n\n"one\n\ntwo, ""three""\n",1\nfour,2\n'))
    assert (table.texts, table.warnings) == (('one\n\ntwo, "three"\n', "four"), ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('text,n\nfine,0\n"open,1\nfine,0\n', "quote that opens a cell in line 3 is not closed"),
        ('text,n\n"open,1\nfine,0\n"odd" word,1\n', "opens a cell in line 2 closes in line 4, but text follows"),
        ('text,n\n"He said "no" again",1\n', "opens a cell in line 2 closes in line 2, but text follows"),
    ],
)
def test_quotes_that_do_not_close_a_cell(make, content, message):
    with pytest.raises(ValueError, match=message):
        read_texts(make("a.csv", content))


def test_quotes_within_a_cell_are_literal(make):
    assert read_texts(make("a.csv", 'text,n\nThe "best" one,1\n5" disk,2\n')).texts == ('The "best" one', '5" disk')


def test_a_cell_of_very_many_lines_is_said(make):
    table = read_texts(make("a.csv", 'text,n\nfine,0\n"open' + ",0\nfine" * 60 + '",1\n'))
    assert table.warnings[0].startswith("The cell in line 3 of ") and "spans 61 lines" in table.warnings[0]


def test_a_carriage_return_outside_quotes(make):
    with pytest.raises(ValueError, match=r"carriage return that ends no line \(line 3\)"):
        read_texts(make("a.csv", "text,n\none,1\nt\rwo,2\n"))
    assert read_texts(make("a.csv", 'text,n\r\n"t\rwo",2\r\n')).texts == ("t\rwo",)


def test_quotes_are_literal_in_tsv(make):
    lines = ['"Fine," I said', 'she wrote "why"', "it is", '"quite"']
    path = make("a.tsv", "text\tn\n" + "".join(f"{line}\t1\n" for line in lines))
    assert list(read_texts(path).texts) == lines


@pytest.mark.parametrize(
    "content",
    ['text\tn\n"one\ntwo"\t1\n', 'text\tn\n"a\tb"\t1\n', '"text"\t"n"\n"a"\t1\n', 'text\tn\n"a ""b"" c"\t1\n'],
)
def test_tsv_quoted_as_csv(make, content):
    with pytest.raises(ValueError, match=r"give it the ending .csv and pass delimiter='\\t' \(--delimiter '\\t'\)"):
        read_texts(make("a.tsv", content))
    assert len(read_texts(make("a.csv", content), delimiter="\t")) == 1


# ------------------------------------------------------------------------- what a file is, and its encoding


def parquet_bytes():
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": KETTLES}), stream)
    return stream.getvalue()


def npy_bytes():
    stream = io.BytesIO()
    np.save(stream, np.eye(2))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (gzip.compress(b"text\na\n", mtime=0), "packed with gzip"),
        (parquet_bytes(), "Parquet"),
        (b"PK\x03\x04\x14\0\x06\0", "a zip archive, such as .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Office file"),
        (npy_bytes(), "an array of NumPy"),
        (b"SQLite format 3\0rest", "a SQLite database"),
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"BZh91AY&SYxx", "packed"),
        (b"<!DOCTYPE html>\n<p>Hi\n", "a web page"),
        (b"\x80\x04\x95\x0f\0\0", None),
    ],
)
@pytest.mark.parametrize("suffix", ["txt", "csv", "tsv", "jsonl", "json"])
def test_files_of_another_kind(make, content, kind, suffix):
    message = (
        "must be UTF-8, but|must be text. It seems to be" if kind is None else f"must be text. It seems to be {kind}"
    )
    with pytest.raises(ValueError, match=message):
        read_texts(make(f"a.{suffix}", content))
    if kind == "packed with gzip":
        with pytest.raises(ValueError, match="can't be read as Parquet: it seems to be packed with gzip"):
            read_texts(make("a.parquet", content))


@pytest.mark.parametrize("suffix", ["txt", "csv", "tsv"])
@pytest.mark.parametrize(
    ("content", "right"),
    [
        ('{"text": "a"}\n{"text": "b"}\n', "jsonl"),
        ('[{"text": "a"},\n{"text": "b"}]\n', "json"),
        ('{"a":\n["b"]}', "json"),
    ],
)
def test_json_named_otherwise(make, suffix, content, right):
    with pytest.raises(ValueError, match=rf"It seems to be JSON: give it the ending .{right}\."):
        read_texts(make(f"a.{suffix}", content))


@pytest.mark.parametrize("text", ["[music]", "{sighs} no", "[1]", "{}", "[See also]"])
def test_texts_that_begin_with_brackets_are_texts(make, text):
    assert read_texts(make("a.txt", f"{text}\nmore\n")).texts == (text, "more")


def test_not_gzip_and_damaged_gzip(make, tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(b"plain\n")
    with pytest.raises(ValueError, match=r"must be packed with gzip, as '.gz' says"):
        read_texts(tmp_path / "a.txt.gz")
    packed = gzip.compress(os.urandom(5000), mtime=0)
    for damaged in (packed[:-20], packed[:2000] + b"\0" * 20 + packed[2020:]):
        (tmp_path / "a.txt.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged or incomplete"):
            read_texts(tmp_path / "a.txt.gz")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "“Second time” for 30 €"),
        ("cp1252", "Später fährt die Straßenbahn"),
        ("cp1252", "mañana será otro día"),
        ("mac_roman", "le thé est déjà prêt"),
        ("cp850", "Grüße aus Köln, schöner Käse"),
        ("cp1250", "Dobrý večer, příště přijďte dříve"),
        ("cp1251", "Добрый вечер, чайник сломан"),
        ("koi8-r", "Добрый вечер, чайник сломан"),
        ("cp1253", "Καλησπέρα, πού είναι το τσάι;"),
        ("shift_jis", "このやかんはすぐに壊れました。"),
        ("euc_jp", "このやかんはすぐに壊れました。"),
        ("gb18030", "这个水壶很快就坏了，不推荐。"),
        ("euc_kr", "주전자가 금방 고장 났어요"),
    ],
)
@pytest.mark.parametrize("suffix", ["txt", "csv", "tsv", "jsonl", "json"])
def test_the_likely_encoding_is_named_and_reads(make, encoding, text, suffix):
    row = "{0}{1}{2}\n".format
    separator = "," if suffix == "csv" else "\t"
    text = text.replace(",", ";")
    table = row("text", separator, "n") + row(text, separator, 1) + row("plain", separator, 2)
    content = {"txt": f"{text}\nplain\n", "jsonl": f'"{text}"\n"plain"\n', "json": f'["{text}", "plain"]'}.get(
        suffix, table
    )
    path = make(f"a.{suffix}", content.encode(encoding))
    with pytest.raises(
        ValueError, match=rf"It seems to be {encoding}: pass encoding='{encoding}' \(--encoding {encoding}\)"
    ):
        read_texts(path)
    assert read_texts(path, encoding=encoding).texts[0] == text


def test_damage_in_utf8_is_no_other_encoding(make):
    content = "Später fährt\nüber Köln\n".encode() + b"\xff\n"
    with pytest.raises(ValueError, match=r"byte 27 \(line 3\) is 0xff. The rest is UTF-8: it is damaged there"):
        read_texts(make("a.txt", content))


def test_bytes_beyond_the_first_chunk_are_checked(make):
    content = "é".encode() * 700_000 + b"\n" + b"\xe9t\xe9\n"
    with pytest.raises(ValueError, match=r"byte 1400001 \(line 2\) is 0xe9"):
        read_texts(make("a.txt", content))
    assert len(read_texts(make("a.txt", "é" * 700_000 + "\n"))) == 1  # a letter across two chunks


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", 5, ""])
def test_encodings_that_are_none(make, encoding):
    with pytest.raises(ValueError, match="'encoding' parameter of read_texts must be an encoding of text that Python"):
        read_texts(make("a.txt", "a\n"), encoding=encoding)


def test_the_wrong_encoding(make):
    with pytest.raises(ValueError, match="is not valid UTF-16: truncated data at byte 2"):
        read_texts(make("a.txt", b"abc"), encoding="utf-16")


# ------------------------------------------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ([f"A-{i:04}" for i in range(9)], "single words or identifiers"),
        ([str(i) for i in range(9)], "numbers or dates"),
        ([f"2024-03-0{i}" for i in range(1, 9)], "numbers or dates"),
        (["5.0"] * 9, "numbers or dates"),
        (["alpha", "beta", "gamma", "delta", "epsilon", "zeta"], "single words or identifiers"),
    ],
)
def test_texts_that_look_like_something_else(make, texts, kind):
    path = make("a.csv", "key,message\n" + "".join(f"{text},A longer message {i}\n" for i, text in enumerate(texts)))
    (warning,) = read_texts(path, text_column="key").warnings
    assert warning.startswith(f"The texts of a in the column 'key' are {kind}")
    assert read_texts(path, text_column="message").warnings == ()


@pytest.mark.parametrize("text", ["今日は天気がいいですね", "one two", "good"])
def test_texts_that_are_texts(make, text):
    content = "text,n\n" + "".join(f"{text if text == 'good' else f'{text}{chr(97 + i)}'},{i}\n" for i in range(9))
    assert read_texts(make("a.csv", content)).warnings == ()


def test_a_list_of_words_is_one(make):
    assert read_texts(make("a.txt", "kettle\nrain\nbread\ncloud\nriver\n")).warnings == ()


# ---------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("name", ["a.txt", "a.csv.gz", "a.jsonl"])
def test_a_limit_of_bytes(make, monkeypatch, name):
    path = make(name, '"text"\n' + "".join(f'"{"x" * 50}{i}"\n' for i in range(100)))
    assert len(read_texts(path)) in (100, 101)
    monkeypatch.setenv("XEMBED_MAX_BYTES", "2000")
    with pytest.raises(ValueError, match=r"(holds|unpacks to) more than 2,000 bytes, the most that is read"):
        read_texts(path)
    monkeypatch.setenv("XEMBED_MAX_BYTES", "much")
    with pytest.raises(ValueError, match=r"XEMBED_MAX_BYTES must be a number of bytes. Got 'much'"):
        read_texts(path)


def test_what_unpacks_to_much_more_than_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr("xembed._core.files._MIN_UNPACKED", 2**20)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"x" * 3_000_000, mtime=0))
    pq.write_table(pa.table({"text": ["x" * 1000] * 5000, "n": range(5000)}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"v": pa.array([[0.0] * 100] * 5000)}), tmp_path / "v.parquet")
    pq.write_table(pa.table({"text": pa.array(["x" * 1000] * 5000).dictionary_encode()}), tmp_path / "d.parquet")
    packed = [(read_texts, name) for name in ("a.txt.gz", "a.parquet", "d.parquet")]
    for read, name in (*packed, (read_embeddings, "v.parquet")):
        with pytest.raises(ValueError, match=rf"{name}' unpacks to more than [123],\d{{3}},\d{{3}} bytes"):
            read(tmp_path / name)


def test_a_pipe_without_end(monkeypatch):
    monkeypatch.setenv("XEMBED_MAX_BYTES", "100000")
    read, write = os.pipe()

    def pour():
        try:
            while True:
                os.write(write, b"y\n" * 1000)
        except OSError:
            pass

    thread = threading.Thread(target=pour)
    thread.start()
    try:
        with os.fdopen(read, "rb") as stream:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(stream)))
            with pytest.raises(ValueError, match="standard input holds more than 100,000 bytes"):
                read_texts("-")
    finally:
        thread.join(10)
        os.close(write)


def test_a_new_key_in_every_line(make):
    with pytest.raises(ValueError, match=r"line \d+: objects must share most of their keys"):
        read_texts(make("a.jsonl", "".join(f'{{"text": "a", "key{i}": {i}}}\n' for i in range(9000))))
    many = "{" + ", ".join(f'"k{i}": 1' for i in range(10_001)) + "}\n"
    with pytest.raises(ValueError, match=r"Got 10,001 different keys in 1 objects"):
        read_texts(make("b.jsonl", many))
    with pytest.raises(ValueError, match=r"must have at most 10,000 columns. Got 10,001"):
        read_texts(make("c.csv", ",".join(f"c{i}" for i in range(10_001)) + "\n"))


def test_optional_keys_are_no_new_key_in_every_line(make):
    lines = "".join(json.dumps({"text": "a", f"k{i % 30}": i}) + "\n" for i in range(80_000))
    assert len(read_texts(make("a.jsonl", lines)).columns) == 31


# --------------------------------------------------------------------------------------------------- dates


def test_european_dates(make):
    path = make("a.csv", "text,date\na,4.3.2024\nb,25/12/2024\n")
    assert read_texts(path).dates is None
    assert [str(day) for day in read_texts(path, dayfirst=True).dates] == ["2024-03-04", "2024-12-25"]
    assert str(as_day("04-03-2024", dayfirst=True)) == "2024-03-04"


def test_times_of_a_column():
    assert as_times(["3", "4.5", "-1e3"]) == [3.0, 4.5, -1000.0]
    assert as_times(["2024-03-04", "2024-03-05T10:00"]) == ["2024-03-04", "2024-03-05T10:00"]
    assert as_times(["4.3.2024 9:05", "05/03/2024, 17:05:30"], dayfirst=True) == [
        "2024-03-04T09:05",
        "2024-03-05T17:05:30",
    ]
    with pytest.raises(
        ValueError, match=r"week must hold dates that are read in one way.* in item 1: if the day comes"
    ):
        as_times(["2024-03-04", "04/03/2024"], name="week")
    with pytest.raises(
        ValueError, match=r"with the day before the month, as dayfirst says. Got '03/25/2024' in item 0"
    ):
        as_times(["03/25/2024"], dayfirst=True)


# ----------------------------------------------------------------------------------------------- embeddings

V = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.125]])


@pytest.fixture
def tables(tmp_path):
    lists = {"id": ["a", "b"], "score": [0.1, 0.2], "vector": V.tolist()}
    wide = {"id": ["a", "b"], "score": [0.1, 0.2]} | {f"emb_{i}": V[:, i].tolist() for i in (2, 0, 1)}
    for name, columns in (("lists", lists), ("wide", wide)):
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        (tmp_path / f"{name}.json").write_text(json.dumps(columns))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (tmp_path / f"{name}.csv").write_text(
            "\n".join([",".join(columns)] + [",".join(f'"{v}"' for v in row.values()) for row in rows])
        )
        for suffix in (".parquet", ".csv"):
            (tmp_path / f"{name}{suffix}.gz").write_bytes(gzip.compress((tmp_path / f"{name}{suffix}").read_bytes()))
    return tmp_path


@pytest.mark.parametrize("suffix", [".parquet", ".json", ".jsonl", ".csv", ".parquet.gz", ".csv.gz"])
@pytest.mark.parametrize(("name", "asked"), [("lists", ["vector"]), ("wide", ["emb", "emb_", "emb_1"])])
def test_embeddings_of_tables(tables, name, asked, suffix):
    path = tables / f"{name}{suffix}"
    np.testing.assert_array_equal(read_embeddings(path), V)
    for column in asked:
        np.testing.assert_array_equal(read_embeddings(path, embedding_column=column), V)
    columns = read_columns(path)
    assert set(columns) == {"id", "score"} and columns["id"] == ("a", "b")
    with pytest.raises(ValueError, match=r"column of embeddings that is asked for. Got 'score'; those that can be are"):
        read_embeddings(path, embedding_column="score")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [0.5], "y": [1.5], "z": [2.5]}, "names such as emb_0, emb_1, .* without gaps"),
        ({"e0": [0.5], "e1": [1.5], "e3": [2.5]}, "names such as emb_0, emb_1, .* without gaps"),
        ({"e0": [0.5], "e1": [1.5], "f1": [2.5], "f2": [2.5]}, r"must have one column of embeddings. Got \{'e', 'f'\}"),
        ({"a": [[1.0, 2.0]], "b": [[1.0, 2.0]]}, r"must have one column of embeddings. Got \{'a', 'b'\}"),
        ({"text": ["a"]}, "If these are texts, embed them first"),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".json"])
def test_columns_that_are_no_embeddings(tmp_path, columns, message, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        path.write_text(json.dumps(columns))
    with pytest.raises(ValueError, match=message):
        read_embeddings(path)


def test_the_advice_on_embeddings_works(tmp_path):
    pq.write_table(pa.table({"a": [[1.0, 2.0]], "b": [[3.0, 4.0]]}), tmp_path / "a.parquet")
    np.testing.assert_array_equal(read_embeddings(tmp_path / "a.parquet", embedding_column="b"), [[3.0, 4.0]])
    (tmp_path / "b.json").write_text(json.dumps({"0": [1.0], "1": [2.0], "n": [5.5]}))
    np.testing.assert_array_equal(read_embeddings(tmp_path / "b.json"), [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"v": [1, 2]}\n{"v": [1]}\n',
            r"lists of numbers of one length in the column 'v'. Got another value in line 2",
        ),
        ('{"v": [1, 2]}\n{"v": null}\n', "Got another value in line 2"),
        ('{"v": [1, 2]}\n{"v": [1, "a"]}\n', "Got another value in line 2"),
        ('{"e0": 1, "e1": 2}\n{"e0": 1}\n', "a number in each cell of the column 'e1'. Got None in line 2"),
    ],
)
def test_rows_without_embeddings(make, content, message):
    with pytest.raises(ValueError, match=message):
        read_embeddings(make("a.jsonl", content))


def test_texts_are_asked_of_a_file_of_embeddings(tables):
    pq.write_table(pa.table({"vector": V.tolist()}), tables / "only.parquet")
    with pytest.raises(ValueError, match=r"Embeddings are read by read_embeddings \(--embedding-column vector\)"):
        read_texts(tables / "only.parquet")
    assert read_columns(tables / "only.parquet") == {}


# -------------------------------------------------------------------------------------- pairs and dictionaries


def test_pairs_and_dictionaries_are_read_likewise(make, tmp_path):
    rows = 'sentence1\tsentence2\tscore\n"Ja," sagte er\tEr sagte\t4\nsie\t"ging" fort\t1\n'
    for name in ("a.tsv", "a.tsv.gz"):
        (pairs,) = load_sts(make(name, rows))
        assert (pairs.first, pairs.name) == (('"Ja," sagte er', "sie"), "a")
    path = make("b.csv", "sentence1;sentence2;score\nSpät;früh;1\n".encode("cp1252"))
    (pairs,) = load_sts(path, delimiter=";", encoding="cp1252")
    assert pairs.first == ("Spät",)
    with pytest.raises(ValueError, match="line 2 holds 2 cells, the first line names 3 columns"):
        load_sts(make("c.csv", "sentence1,sentence2,score\na,b\n"))
    with pytest.raises(ValueError, match="It seems to be cp1252"):
        load_dictionary(make("d.tsv", "Käse\tein Lebensmittel aus Milch\n".encode("cp1252")))
    path = make("e.tsv.gz", "Käse\tein Lebensmittel aus Milch\n".encode("cp1252"))
    assert load_dictionary(path, encoding="cp1252").entries == ("Käse",)


# -------------------------------------------------------------------------------------------------- damaged files

SOUND = {
    ".csv": 'text,n\nThe kettle leaks.,0\n"Boils, slowly",1\n"The ""fast"" one",2\n5" disk,3\n"end",4\n',
    ".tsv": 'text\tn\nThe kettle leaks.\t0\nBoils, slowly\t1\n"Fast," it says\t2\n5" disk\t3\nend\t4\n',
    ".jsonl": "".join(json.dumps({"text": f"A text, and {i}", "n": i}) + "\n" for i in range(5)),
    ".json": json.dumps([{"text": f"A text, and {i}", "n": i} for i in range(5)]),
}


@pytest.mark.parametrize("suffix", SOUND)
@pytest.mark.parametrize("inserted", ['"', ",", "\n", "\r", "\t", ";", "{", "]", "\\"])
def test_a_character_too_many_never_loses_rows(tmp_path, suffix, inserted):
    path, content = tmp_path / f"a{suffix}", SOUND[suffix]
    for place in range(len(content) + 1):
        path.write_bytes((content[:place] + inserted + content[place:]).encode())
        try:
            n = len(read_texts(path, text_column="text"))
        except ValueError:
            continue
        assert n >= 5, (place, content[max(0, place - 9) : place], content[place : place + 9])


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_files_end_in_documented_errors(tmp_path, packed):
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": KETTLES, "v": [[1.0, 2.0]] * 3}), stream)
    contents = {suffix: content.encode() for suffix, content in SOUND.items()} | {".parquet": stream.getvalue()}
    for _ in range(150):
        for suffix, content in contents.items():
            damaged = bytearray(gzip.compress(content, mtime=0) if packed else content)
            for place in rng.integers(0, len(damaged), 3):
                damaged[place] = rng.integers(0, 256)
            path = tmp_path / f"a{suffix}{'.gz' * packed}"
            path.write_bytes(damaged[: rng.integers(1, 2 * len(damaged))])
            for read in (read_texts, read_embeddings, read_columns, load_sts, load_dictionary):
                try:
                    read(path)
                except ValueError as error:
                    assert path.name in str(error) or "parameter of" in str(error), error
