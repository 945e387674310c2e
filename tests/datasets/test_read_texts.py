"""read_texts: what the formats hold comes back, and what is wrong with a file is said with its place."""

import datetime
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xembed.datasets import read_texts

ODD = [
    "Line\u2028separator",
    "form\x0cfeed \x85 next",
    "emoji 👩‍🚀 and é",
    "quotes \"like\" 'these'",
    "back\\slash, comma; tab\there",
]


@pytest.fixture
def make(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write


def write_parquet(path, columns):
    pq.write_table(pa.table(columns), path)
    return path


# ------------------------------------------------------------------------------------------------- .txt


def test_txt(make):
    table = read_texts(make("notes.txt", "One\nTwo\n"))
    assert table.texts == ("One", "Two")
    assert (table.name, table.columns, table.card, table.n_skipped) == ("notes", ("text",), "", 0)


def test_txt_odd_characters_do_not_split_lines(make):
    assert read_texts(make("a.txt", "\n".join(ODD))).texts == tuple(ODD)


@pytest.mark.parametrize("content", ["One\nTwo", "One\nTwo\n", "One\r\nTwo\r\n", "\ufeffOne\nTwo\n"])
def test_txt_line_ends_and_byte_order_mark(make, content):
    assert read_texts(make("a.txt", content)).texts == ("One", "Two")


def test_txt_keeps_blanks_at_the_ends_of_a_line_and_lone_returns(make):
    assert read_texts(make("a.txt", " a \nb\rc\r\r\n")).texts == (" a ", "b\rc\r")


def test_txt_has_no_columns_to_choose(make):
    assert read_texts(make("a.txt", "One\n"), text_column="body").texts == ("One",)


def test_one_text_is_enough(make):
    assert len(read_texts(make("a.txt", "One"))) == 1


def test_str_and_path_and_suffix_in_any_case(make):
    path = make("A.TXT", "One\n")
    assert read_texts(str(path)).texts == read_texts(Path(path)).texts == ("One",)
    assert read_texts(make("A.CSV", "text\nOne\n")).texts == ("One",)
    assert read_texts(make("A.JsonL", '"One"\n')).texts == ("One",)


# ------------------------------------------------------------------------------------------------ .jsonl


def jsonl(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson"])
def test_jsonl(make, suffix):
    table = read_texts(make(f"a.{suffix}", jsonl([{"text": text, "n": i} for i, text in enumerate(ODD)])))
    assert table.texts == tuple(ODD)
    assert table.column("n") == (0, 1, 2, 3, 4)


def test_jsonl_strings_are_texts(make):
    assert read_texts(make("a.jsonl", jsonl(ODD))).texts == tuple(ODD)


def test_jsonl_byte_order_mark_crlf_and_empty_lines(make):
    assert read_texts(make("a.jsonl", '\ufeff{"text": "a"}\r\n\r\n{"text": "b"}\r\n\n')).texts == ("a", "b")


def test_jsonl_keys_may_be_missing(make):
    table = read_texts(make("a.jsonl", '{"text": "a", "x": 1}\n{"y": [1, {"z": null}], "text": "b"}\n'))
    assert table.column("x") == (1, None)
    assert table.column("y") == (None, [1, {"z": None}])


def test_jsonl_nan_is_missing(make):
    assert read_texts(make("a.jsonl", '{"text": "a", "x": NaN, "y": -Infinity}\n')).metadata == {
        "x": (None,),
        "y": (-np.inf,),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('"a"\n"b"\n{"text": }\n', r"a.jsonl': line 3 is not valid JSON: Expecting value at column 10"),
        ('"a"\n\n[1, 2]\n', r"line 3 must hold a JSON object or a string. Got list instead"),
        ("5\n", r"line 1 must hold a JSON object or a string. Got int instead"),
        ('"a"\n' + "[" * 200_000 + "\n", r"line 2 can't be read"),
        ('{"text": "a", "n": ' + "1" * 5000 + "}\n", r"line 1 can't be read"),
        ('{"text": "a"}\n{"text": "\\ud83d"}\n', r"a.jsonl' holds text that is not valid Unicode \(first: item 1"),
    ],
)
def test_jsonl_errors(make, content, message):
    with pytest.raises(ValueError, match=message):
        read_texts(make("a.jsonl", content))


# -------------------------------------------------------------------------------------------------- .csv


def test_csv_quotes_newlines_and_odd_characters(make):
    content = 'text,n\n"a ""quoted"", one",1\n"two\nlines",2\n"windows\r\nlines",3\n👋 hi,4\n"U+2028:\u2028",5\n'
    table = read_texts(make("a.csv", content))
    assert table.texts == ('a "quoted", one', "two\nlines", "windows\r\nlines", "👋 hi", "U+2028:\u2028")
    assert table.column("n") == ("1", "2", "3", "4", "5")


def test_csv_words_for_missing_values_are_texts(make):
    table = read_texts(make("a.csv", "text,x\nNA,\nnull,nan\nNone,0.10\n"))
    assert table.texts == ("NA", "null", "None")
    assert table.column("x") == ("", "nan", "0.10")


def test_csv_byte_order_mark_and_crlf(make):
    assert read_texts(make("a.csv", "\ufefftext,x\r\na,1\r\nb,2\r\n")).texts == ("a", "b")


def test_tsv(make):
    assert read_texts(make("a.tsv", 'text\tx\na, b\t1\n"c" d\t2\n')).texts == ("a, b", '"c" d')


def test_csv_empty_lines_are_no_rows(make):
    assert read_texts(make("a.csv", "text,x\n\na,1\n\n\nb,2\n\n")).texts == ("a", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "text,b\n1,2\n1,2,3\n",
            r"a.csv' is not well-formed: line 3 holds 3 cells, the first line names 2 columns. Is a text with sep",
        ),
        ('text\n"open\n', r"is not well-formed: the quote that opens a cell in line 2 is not closed"),
        ("a,text\n1,2,3\n2,3,4\n", r"line 2 holds 3 cells, the first line names 2 columns"),
        ("text,x,text\n1,2,3\n", r"must name each column once. Got the name 'text' more than once"),
        (
            "id;text\n1;a\n",
            r"separated by ','. Its first line is 'id;text': if .*pass delimiter=';' \(--delim",
        ),
        ("id\ttext\n1\ta\n", r"separated by '\\t', pass delimiter='\\t'"),
    ],
)
def test_csv_errors(make, content, message):
    with pytest.raises(ValueError, match=message):
        read_texts(make("a.csv", content))


# ---------------------------------------------------------------------------------------------- .parquet


def test_parquet(tmp_path):
    columns = {
        "text": ODD,
        "n": [1, None, 3, 4, 5],
        "x": [0.5, float("nan"), None, 1.0, 2.0],
        "tags": [["a"], [], None, [], []],
    }
    table = read_texts(write_parquet(tmp_path / "a.parquet", columns))
    assert table.texts == tuple(ODD)
    assert table.column("n") == (1, None, 3, 4, 5)
    assert table.column("x") == (0.5, None, None, 1.0, 2.0)
    assert table.column("tags") == (["a"], [], None, [], [])


def test_parquet_from_pandas(tmp_path):
    frame = pd.DataFrame({"text": ["a", "b", "c"], "kind": pd.Categorical(["x", "y", "x"])}, index=[5, 3, 1])
    frame.to_parquet(tmp_path / "a.parquet")
    table = read_texts(tmp_path / "a.parquet")
    assert table.columns == ("text", "kind")  # the index is no column
    assert table.column("kind") == ("x", "y", "x")


def test_parquet_takes_nothing_from_folder_names(tmp_path):
    folder = tmp_path / "year=2024"
    folder.mkdir()
    assert read_texts(write_parquet(folder / "a.parquet", {"text": ["a"]})).columns == ("text",)


@pytest.mark.parametrize("content", [b"", b"not parquet", b"PAR1" + b"\0" * 50 + b"PAR1"])
def test_parquet_unreadable(make, content):
    with pytest.raises(ValueError, match=r"a.parquet' can't be read as Parquet"):
        read_texts(make("a.parquet", content))


def test_parquet_that_is_damaged_or_beyond_python_is_not_advised_to_be_parquet(tmp_path):
    times = pa.array([2**62], pa.timestamp("us"))
    path = write_parquet(tmp_path / "a.parquet", {"text": ["a"], "date": times})
    with pytest.raises(ValueError, match="it is damaged, or holds what Python can't: date value out of range"):
        read_texts(path)
    data = write_parquet(path, {"text": ODD * 100}).read_bytes()
    path.write_bytes(data[:4] + b"\xff" * 40 + data[44:])
    with pytest.raises(ValueError, match="it is damaged"):
        read_texts(path)


def test_parquet_cut_short(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", {"text": ODD * 100})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="can't be read as Parquet"):
        read_texts(path)


# --------------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.tsv", "a.jsonl"])
def test_latin1(make, name):
    path = make(name, b'"text"\n"caf' + "é".encode("latin-1") + b'"\n')
    place = r"must be UTF-8, but byte 11 \(line 2\) is 0xe9. It seems to be cp1252: pass encoding='cp1252' \(--encod"
    with pytest.raises(ValueError, match=re.escape(repr(str(path))) + " " + place):
        read_texts(path)
    if name != "a.tsv":  # where quotes are literal, and names have none
        assert read_texts(path, encoding="cp1252").texts[-1].strip('"') == "café"


def test_the_byte_offset_counts_the_byte_order_mark(make):
    with pytest.raises(ValueError, match=r"byte 5 \(line 1\) is 0xff"):
        read_texts(make("a.txt", b"\xef\xbb\xbfab\xff"))


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        (
            "utf-16",
            r"It starts with the byte order mark of UTF-16. It seems to be utf-16: pass encoding='utf-16' \(--encod",
        ),
        ("utf-32", "It starts with the byte order mark of UTF-32.*encoding='utf-32'"),
        ("utf-16-le", "It looks like UTF-16 without a byte order mark.*encoding='utf-16-le'"),
        ("utf-16-be", "It looks like UTF-16 without a byte order mark.*encoding='utf-16-be'"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_other_unicode_encodings(make, name, encoding, message):
    path = make(name, '"text"\n"some words"\n'.encode(encoding))
    with pytest.raises(ValueError, match=message):
        read_texts(path)
    assert read_texts(path, encoding=encoding).texts[-1].strip('"') == "some words"


# -------------------------------------------------------------------------------------- the texts' column


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"text": "T", "review": "R"}, "T"),
        ({"id": 1, "remark": "R", "stars": 2.5}, "R"),  # the only one that holds text
        ({"remark": "R", "label": "L", "date": "2024-03-04"}, "R"),  # besides these two
        ({"author": "A", "review": "R"}, "R"),  # the only one of the known names
        ({"remark": "R", "review": 5}, "R"),
    ],
)
def test_text_column_found(make, columns, chosen):
    assert read_texts(make("a.jsonl", jsonl([columns]))).texts == (chosen,)


@pytest.mark.parametrize("name", ["sentence", "content", "body", "document", "review", "question"])
def test_known_names(make, name):
    assert read_texts(make("a.csv", f"id,{name},author\n1,the text,someone\n")).texts == ("the text",)


def test_text_column_given(make):
    path = make("a.csv", "text,title\nlong,short\n")
    table = read_texts(path, text_column="title")
    assert table.texts == ("short",)
    assert table.columns == ("text", "text_")  # the table's own column and the file's
    assert table.column("text_") == ("long",)


def test_text_column_named_text_twice(make):
    table = read_texts(make("a.csv", "text_,text,title\n1,long,short\n"), text_column="title")
    assert dict(table.metadata) == {"text_": ("1",), "text__": ("long",)}


def test_text_column_may_be_the_label_or_the_date(make):
    table = read_texts(make("a.csv", "label,date\nL,2024-03-04\n"), text_column="label")
    assert (table.texts, table.labels) == (("L",), None)


@pytest.mark.parametrize(
    "record", [{"a": "x", "b": "y"}, {"body": "x", "review": "y"}, {"n": 1}, {"label": "x", "date": "2024-03-04"}, {}]
)
def test_text_column_not_found(make, record):
    names = re.escape("{" + ", ".join(repr(name) for name in sorted(record)) + "}")
    message = (
        f"none is called 'text'. Got {names}: name one with text_column=... \\(--text-column on the command line\\)"
    )
    with pytest.raises(ValueError, match=message):
        read_texts(make("a.jsonl", jsonl([record])))


def test_text_column_wrong(make):
    message = r"The 'text_column' parameter of read_texts must be one of \{'n', 'text'\}. Got 'txt' instead."
    with pytest.raises(ValueError, match=message):
        read_texts(make("a.csv", "text,n\na,1\n"), text_column="txt")


# ----------------------------------------------------------------------------------- cells without a text


def test_numbers_are_not_texts(make):
    message = (
        r"holds 2 cells without text in the column 'text' \(lines 2, 4; first: int 5\). Numbers and other values are "
        "not turned into text"
    )
    with pytest.raises(ValueError, match=message):
        read_texts(make("a.jsonl", jsonl([{"text": "a"}, {"text": 5}, {"text": "b"}, {"text": ["c"]}])))


def test_numbers_are_not_skipped_as_blank(make):
    with pytest.raises(ValueError, match=r"holds 1 cell without text in the column 'text' \(line 2; first: int 5\)"):
        read_texts(make("a.jsonl", jsonl([{"text": "a"}, {"text": 5}, {"text": None}])), skip_blank=True)


def test_missing_texts(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", {"text": ["a", None, "b", None], "n": [0, 1, 2, 3]})
    with pytest.raises(ValueError, match=r"\(rows 1, 3; first: missing\). Drop them with skip_blank=True"):
        read_texts(path)
    table = read_texts(path, skip_blank=True)
    assert (table.texts, table.column("n"), table.n_skipped) == (("a", "b"), (0, 2), 2)


def test_many_rows_are_not_all_named(make):
    with pytest.raises(ValueError, match=r"holds 9 cells .*\(lines 1, 2, 3, 4, 5, \.\.\.; first: int 0\)"):
        read_texts(make("a.jsonl", jsonl([{"text": i} for i in range(9)] + [{"text": "a"}])))


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.txt", "a\n\nb\n \u00a0\nc\n", "line 2"),
        ("a.jsonl", '"a"\n\n""\n"b"\n" "\n"c"\n', "line 3"),
        ("a.csv", 'text,n\na,0\n"",1\nb,2\n" ",3\nc,4\n', "row 1"),
    ],
)
def test_blank_texts(make, name, content, place):
    path = make(name, content)
    with pytest.raises(
        ValueError, match=rf"holds 2 blank texts \(first: {place}\). Drop them with skip_blank=True \(--skip"
    ):
        read_texts(path)
    table = read_texts(path, skip_blank=True)
    assert table.texts == ("a", "b", "c")
    assert table.n_skipped == 2
    if name == "a.csv":
        assert table.column("n") == ("0", "2", "4")


def test_one_blank_text(make):
    with pytest.raises(ValueError, match=r"holds 1 blank text \(first: line 2\)"):
        read_texts(make("a.txt", "a\n\nb\n"))


def test_skip_blank_keeps_labels_and_dates_aligned(make):
    content = "text,label,date\na,x,2024-03-04\n,y,2024-03-05\nb,z,2024-03-06\n"
    table = read_texts(make("a.csv", content), skip_blank=True)
    assert table.labels == ("x", "z")
    assert table.dates.tolist() == [datetime.date(2024, 3, 4), datetime.date(2024, 3, 6)]


# ------------------------------------------------------------------------------------- labels and dates


def test_labels_and_dates(make):
    table = read_texts(make("a.csv", "text,label,date,week\na,x,2024-03-04,1\nb,y,2024-03-05,1\n"))
    assert table.labels == ("x", "y")
    assert table.dates.dtype == "datetime64[D]"
    assert table.columns == ("text", "label", "date", "week")
    assert dict(table.metadata) == {"week": ("1", "1")}


def test_labels_that_are_integers(make):
    assert read_texts(make("a.jsonl", jsonl([{"text": "a", "label": 1}, {"text": "b", "label": 0}]))).labels == (
        "1",
        "0",
    )


@pytest.mark.parametrize("odd", [None, 0.5, ["x"]])
def test_labels_of_another_kind_stay_in_the_metadata(make, odd):
    table = read_texts(make("a.jsonl", jsonl([{"text": "a", "label": "x"}, {"text": "b", "label": odd}])))
    assert table.labels is None
    assert table.metadata["label"] == ("x", odd)


@pytest.mark.parametrize("odd", ["", "5 March", "2024-02-30", "2024-03-05T10:00"])
def test_dates_stay_in_the_metadata_unless_all_are_dates(make, odd):
    table = read_texts(make("a.csv", f"text,date\na,2024-03-04\nb,{odd}\n"))
    assert table.dates is None
    assert table.metadata["date"] == ("2024-03-04", odd)


def test_parquet_dates(tmp_path):
    days = np.array(["2024-03-04", "2024-03-05"], dtype="datetime64[D]")
    assert (read_texts(write_parquet(tmp_path / "a.parquet", {"text": ["a", "b"], "date": days})).dates == days).all()
    stamps = days.astype("datetime64[ns]")
    assert (read_texts(write_parquet(tmp_path / "b.parquet", {"text": ["a", "b"], "date": stamps})).dates == days).all()
    hours = stamps + np.timedelta64(3, "h")
    assert read_texts(write_parquet(tmp_path / "c.parquet", {"text": ["a", "b"], "date": hours})).dates is None


# --------------------------------------------------------------------------------------- files as a whole


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", ""),
        ("a.txt", "\ufeff"),
        ("a.csv", ""),
        ("a.csv", "\n \n"),
        ("a.csv", "text,n\n"),
        ("a.jsonl", ""),
        ("a.jsonl", "\n\n"),
    ],
)
def test_no_texts(make, name, content):
    with pytest.raises(ValueError, match=rf"{name}' holds no texts\."):
        read_texts(make(name, content))


def test_no_texts_in_parquet(tmp_path):
    with pytest.raises(ValueError, match=r"holds no texts\."):
        read_texts(write_parquet(tmp_path / "a.parquet", {"text": pa.array([], pa.string())}))


def test_only_blank_texts(make):
    with pytest.raises(ValueError, match=r"a.txt' holds no texts: all 3 are blank"):
        read_texts(make("a.txt", "\n \n\t\n"), skip_blank=True)


@pytest.mark.parametrize("name", ["a.npy", "a.docx", "a", "a.csv.bz2", "a.docx.gz"])
def test_unknown_suffix(make, name):
    known = r"\{'.csv', '.json', '.jsonl', '.ndjson', '.parquet', '.tsv', '.txt'\}, each also with .gz,"
    suffix = Path(name).suffix
    message = rf"{name}' must end in one of {known} to be read by read_texts. Got '{suffix}' instead. .npy is for ready"
    with pytest.raises(ValueError, match=message):
        read_texts(make(name, "text\n"))


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.csv' can't be read: there is no such file\."):
        read_texts(tmp_path / "none.csv")


def test_folder(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"can't be read: it is a folder. Give the path of a file"):
        read_texts(tmp_path)


def test_no_permission(make, monkeypatch):
    path = make("a.txt", "a\n")

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # file modes do not stop root
    with pytest.raises(PermissionError, match=r"a.txt' can't be read: no permission\."):
        read_texts(path)


@pytest.mark.parametrize("path", [["a", "b"], None, 5, b"a.txt"])
def test_path_of_another_type(path):
    with pytest.raises(
        TypeError, match=r"The 'path' parameter of read_texts must be a str or path-like. Got \w+ instead"
    ):
        read_texts(path)


# ------------------------------------------------------------------------------ numbers of the file, identifiers


@pytest.mark.parametrize(
    ("name", "content", "rows", "skipped"),
    [
        ("a.txt", "a\n\nb\n \nc\n", (1, 3, 5), (2, 4)),
        ("a.jsonl", '"a"\n\n"b"\n""\n', (1, 3), (4,)),
        ("a.csv", "text,n\na,0\n,1\nb,2\n", (0, 2), (1,)),
    ],
)
def test_rows_are_those_of_the_file(make, name, content, rows, skipped):
    table = read_texts(make(name, content), skip_blank=True)
    assert (table.rows, table.skipped, table.n_skipped) == (rows, skipped, len(skipped))
    assert table.unit == ("row" if name == "a.csv" else "line")


def test_identifiers(make):
    table = read_texts(make("a.jsonl", jsonl([{"text": "a", "key": 7}, {"text": "b", "key": "x"}])), id_column="key")
    assert table.ids == ("7", "x")
    assert table.column("key") == (7, "x")


@pytest.mark.parametrize("key", ["", " ", None, 0.5, True])
def test_identifiers_that_are_none(make, key):
    with pytest.raises(ValueError, match=r"must hold an identifier .* in line 2: fill it in, or name another column"):
        read_texts(make("a.jsonl", jsonl([{"text": "a", "key": 7}, {"text": "b", "key": key}])), id_column="key")


def test_identifier_column_wrong(make):
    with pytest.raises(ValueError, match=r"'id_column' parameter of read_texts must be one of \{'text'\}"):
        read_texts(make("a.csv", "text\nsome\n"), id_column="id")
