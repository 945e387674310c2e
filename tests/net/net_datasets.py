"""Cases of xembed.datasets."""

import datetime
import json

import net_inputs as inputs
import numpy as np
from net_record import family, own_folder, variants

import xembed

case = family("datasets")


# ---- tables

COLUMNS = {
    "text": ["A first text.", "=1+1 is no formula", 'Quotes "here", and\na new line', "é ü 漢字"],
    "label": ["a", "b", "a", "b"],
    "date": [datetime.date(2024, 1, day) for day in (1, 2, 3, 5)],
    "number": [1.5, -2.0, 1e-9, 3.0],
    "count": [1, 2, 3, 4],
    "missing": [None, "x", None, "y"],
}


def _table(table):
    return {
        "columns": table.columns,
        "table": {name: table.column(name) for name in table.columns},
        "frame": table.to_frame(),
        "name": table.name,
        "skipped": table.n_skipped,
    }


@variants("datasets", csv=".csv", jsonl=".jsonl", parquet=".parquet")
def write_and_read(suffix):
    path = xembed.datasets.check_table_path(own_folder() / f"table{suffix}")
    xembed.datasets.write_table(path, COLUMNS)
    text = None if suffix == ".parquet" else path.read_text(encoding="utf-8")
    return {"file": text, "read": _table(xembed.datasets.read_texts(path))}


_FILES = {
    "txt": ("a.txt", "One text.\nAnother one.\n", {}),
    "tsv": ("a.tsv", "body\tlabel\nOne\t1\nTwo\t2\n", {}),
    "blank": ("a.csv", "content,id\nOne,1\n ,2\nThree,3\n", {"skip_blank": True}),
    "column": ("a.csv", "a,b\nOne,x y\nTwo,z\n", {"text_column": "b"}),
    "strings": ("a.jsonl", '"One"\n"Two"\n', {}),
    "objects": ("a.ndjson", '{"text": "One", "date": "2024-01-01"}\n{"text": "Two", "date": "2024-01-02"}\n', {}),
}


@variants("datasets", **_FILES)
def read_texts(given):
    name, content, options = given
    path = own_folder() / name
    path.write_text(content, encoding="utf-8")
    return _table(xembed.datasets.read_texts(path, **options))


@case
def read_embeddings():
    found = {}
    for dtype in ("float16", "float32", ">f8", "int8"):
        path = own_folder() / "X.npy"
        np.save(path, (np.arange(12).reshape(4, 3) / 2).astype(dtype))
        read = xembed.datasets.read_embeddings(path)
        found[dtype] = [str(read.dtype), read]
    return found


@case
def text_table():
    table = xembed.datasets.TextTable(
        texts=["a", "b", "c"], name="mine", labels=["x", "y", "x"], metadata={"size": (1, 2, 2)}, card="# Mine"
    )
    return {"all": _table(table), "some": _table(table.where(label="x", size=2)), "length": len(table)}


# ---- bundled


@variants("datasets", tickets="support_tickets", news="news_briefs", reviews="product_reviews")
def load_corpora(name):
    return _table(xembed.datasets.load_corpora(name))


@case
def load_planted_vocabulary():
    return xembed.datasets.load_planted_vocabulary()


def _pairs(pairs):
    return {
        "name": pairs.name,
        "texts": pairs.texts,
        "truth": [[int(mark) for mark in marks] for marks in pairs.ground_truth],
        "labels": pairs.labels,
        "groups": pairs.groups,
        "classes": pairs.classes,
        "defects": pairs.defects,
    }


@case
def load_gendered_pairs():
    return {
        f"{variant}, {split}": _pairs(xembed.datasets.load_gendered_pairs(variant, split))
        for variant in ("all", "subject")
        for split in ("train", "test")
    }


@case
def paired_sentences():
    pairs = xembed.datasets.load_gendered_pairs()
    return {
        "complete": len(pairs.complete_groups()),
        "taken": _pairs(pairs.take([5, 3, 8])),
        "female": _pairs(pairs.where("female"))["groups"],
        "sample": [pairs.sample(10).groups, pairs.sample(10, rng=3).groups],
        "split": [[part.groups for part in pairs.split(50, rng=seed)] for seed in (0, 1)],
    }


@case
def load_geco():
    rows = [
        ("He|sings|.", [1, 0, 0], 1, 90), ("She|sings|.", [1, 0, 0], 0, 90),
        ("The|actor| |left|.", [0, 1, 0, 0, 0], 1, 91), ("The|actress| |left|.", [0, 1, 0, 0, 0], 0, 91),
        ("It|rains|.", [0, 0, 0], 1, 92), ("It|rains|.", [0, 0, 0], 0, 92),
    ]  # fmt: skip
    lines = [
        {"sentence": text.split("|"), "ground_truth": marks, "gender": ("female", "male")[label], "target": label}
        | {"sentence_idx": group}
        for text, marks, label, group in rows
    ]
    folder = own_folder() / "binary_gender_all"
    folder.mkdir()
    for split, rows in (("train", lines), ("test", lines[:2])):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    load = xembed.datasets.load_geco
    return {"repaired": _pairs(load(own_folder())), "sound": _pairs(load(own_folder(), split="test", repair=False))}


# ---- dictionaries


def _dictionary(found):
    return {
        "name": found.name,
        "pairs": list(found.pairs()),
        "n_definitions": found.n_definitions,
        "dropped": [found.n_dropped_empty, found.n_duplicates],
    }


@case
def load_dictionary():
    path = own_folder() / "small.tsv"
    path.write_text("rain\twater that falls\nsun\t\nrain\twater that falls\nsnow\tfrozen rain\n", encoding="utf-8")
    return {
        "bundled": _dictionary(xembed.datasets.load_dictionary()),
        "file": _dictionary(xembed.datasets.load_dictionary(path)),
        "mapping": _dictionary(xembed.datasets.Dictionary.from_mapping(inputs.definitions())),
    }


_SYNSETS = {
    "noun": "00000100 03 n 02 glim 0 Glim 0 001 @ 00000200 n 0000 | a light that blinks  \n"
    '00000200 03 n 02 Tall_Wend 0 wend 1 000 | a river; slow and wide; "the Wend rose"  \n',
    "verb": "00000300 29 v 01 glim 0 000 01 + 02 00 | to blink;  \n",
    "adj": "00000400 00 a 02 wendish(a) 0 glimmy(ip) 0 000 | of the Wend  \n",
    "adv": "00000600 02 r 01 glimly 0 000 |   \n",
}


@case
def load_dictionary_of_wordnets_form():
    for part, lines in _SYNSETS.items():
        (own_folder() / f"data.{part}").write_text("  1 This is made up.  \n" + lines, encoding="utf-8")
    return _dictionary(xembed.datasets.load_dictionary(own_folder()))


@case
def dictionary():
    whole = xembed.datasets.load_dictionary()
    return {
        "sample": [whole.sample(20).entries, whole.sample(20, rng=4).entries],
        "split": [[part.entries for part in whole.split(0.1, rng=seed)] for seed in (0, 1)],
    }


# ---- pairs to make


@case
def make_pairs():
    make = xembed.datasets.make_pairs
    sentences = inputs.tickets(30) + [" ".join(words) for words in inputs.paired(30).sentences]
    hard = ["I saw her with Mr. Smith.", "His car is his.", "The waitress met her father.", "Nothing to switch here."]
    found = {}
    for policy in ("keep", "drop"):
        made = make(sentences + hard, undecided=policy)
        found[policy] = {
            "pairs": _pairs(made.pairs), "undecided": made.undecided, "counts": made.counts, "n": made.n_sentences
        }  # fmt: skip
    sides = xembed.datasets.Lexicon(name="sides", classes=("left", "right"), pairs=[("left", "right")])
    return found | {"own lexicon": _pairs(make([["Turn", "left", "here", "."]], sides, name="turns").pairs)}


@case
def load_lexicon():
    lexicon = xembed.datasets.load_lexicon("gender")
    return {
        "pairs": lexicon.pairs, "generic": lexicon.generic, "rules": sorted(lexicon.rules), "classes": lexicon.classes,
        "suffixes": lexicon.suffixes, "not_suffixes": lexicon.not_suffixes, "prefixes": lexicon.prefixes,
        "watched": lexicon.watched, "tables": lexicon.tables(),
    }  # fmt: skip


@case
def word_context():
    context = xembed.datasets.WordContext(["i", "saw", "her", "today"], ["I", "saw", "her", "Today,"], 2)
    return [[context.at(offset), context.capital(offset)] for offset in (-3, -1, 0, 1, 2)]


# ---- pairs with scores

_STS = {
    "stsb": ("sts.csv", 'main\tx\t2012\t1\t5.0\tA "plane" lands.\tIt lands.\nnews\th\t2013\t7\t\tNo.\tNone.\n'),
    "sick": ("SICK.txt", "pair_ID\tsentence_A\tsentence_B\trelatedness_score\n1\tA dog runs\tA dog is running\t4.9\n"),
    "csv": ("my.csv", "sentence1,sentence2,score\nOne,Two,0.5\nThree,Four,1.0\n"),
    "jsonl": ("my.jsonl", '{"sentence1": "One", "sentence2": "Two", "score": 3}\n'),
}  # fmt: skip


@variants("datasets", **_STS)
def load_sts(given):
    name, content = given
    path = own_folder() / name
    path.write_text(content, encoding="utf-8")
    return xembed.datasets.load_sts(path)


@case
def load_sts_of_a_folder():
    (own_folder() / "STS.input.one.txt").write_text("a cat\ta kitten\nrain\ta train\n", encoding="utf-8")
    (own_folder() / "STS.gs.one.txt").write_text("4.5\n\n", encoding="utf-8")
    return xembed.datasets.load_sts(own_folder())


@case
def sts_pairs():
    pairs = inputs.sts_pairs()
    return {"sentences": pairs.sentences, "sample": [pairs.sample(7), pairs.sample(7, rng=2)]}


# ---- more texts through the rules, and parts of tables


@case
def make_pairs_of_all_sentences():
    pairs = xembed.datasets.load_gendered_pairs()
    hard = [
        "I gave him his and her hers.", "Her saw is old, so I gave her one.", "He hurt himself; she hurt herself.",
        "Mrs. Brown and Mr. Brown met Miss Grey.", "HIS OWN IDEA", "A mother-in-law's son and an actress's niece.",
        "'Her first words,' he said, 'were hers.'", "An heiress, a hostess and an usherette sang.",
        "It is his to give.",
        "They saw her leaving.", "Tell her what happened.", "Ask him.", "The chairman's wife sold his for two pounds.",
    ]  # fmt: skip
    found = {}
    for form in (0, 1):
        sentences = [words for words, label in zip(pairs.sentences, pairs.labels, strict=True) if label == form]
        made = xembed.datasets.make_pairs(sentences)
        found[str(form)] = {"texts": made.pairs.texts, "undecided": made.undecided, "counts": made.counts}
    made = xembed.datasets.make_pairs(hard)
    return found | {"hard": {"texts": made.pairs.texts, "undecided": made.undecided}, "shown": repr(made)}


@case
def parts_of_tables():
    table = xembed.datasets.load_corpora("news_briefs")
    mask = np.arange(len(table)) % 50 == 0
    day = table.dates[0]
    return {
        "slice": _table(table[3:6]),
        "rows": _table(table[[0, -1, 7]]),
        "mask": _table(table[mask]),
        "day": _table(table.where(date=day)),
        "days": _table(table.where(date=[day, table.dates[-1]])),
        "empty": len(table[[]]),
        "shown": [repr(table), repr(xembed.datasets.load_dictionary()), repr(xembed.datasets.load_lexicon("gender"))],
    }
