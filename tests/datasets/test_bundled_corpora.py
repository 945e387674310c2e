"""The bundled corpora are what their cards say."""

import collections
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xembed.datasets import _bundled, load_corpora, load_dictionary, load_gendered_pairs, load_planted_vocabulary

DATA = Path(__file__).parents[2] / "datasets"
CONTRACTION = re.compile(r"n't\b|'(m|d|ll|re|ve)\b|\b(it|that|there|he|she|what)'s\b", re.IGNORECASE)
CORPORA = ("news_briefs", "product_reviews", "support_tickets")


@pytest.fixture(scope="module", params=CORPORA)
def corpus(request):
    return load_corpora(request.param)


def words(text):
    return frozenset(re.findall(r"\w+", text.lower()))


def jaccard(a, b):
    return len(a & b) / len(a | b)


def counts(table, *columns):
    return collections.Counter(zip(*(table.column(name) for name in columns), strict=True))


def test_every_corpus_in_the_folder_can_be_loaded():
    assert sorted(path.stem for path in DATA.glob("*.jsonl")) == sorted((*CORPORA, "gendered_pairs"))


def test_size_and_names(corpus):
    assert 200 <= len(corpus) <= 400
    assert len(corpus.labels) == len(corpus)
    assert corpus.n_skipped == 0


def test_texts_are_unique_and_clean(corpus):
    assert len(set(corpus.texts)) == len(corpus)
    assert all(text == " ".join(text.split()) for text in corpus.texts)


def test_jaccard_sees_a_near_duplicate():
    assert jaccard(words("The lid snapped off on day nine."), words("the lid snapped off on day ten")) > 0.6


def test_no_near_duplicates(corpus):
    sets = [words(text) for text in corpus.texts]
    closest = max(itertools.combinations(range(len(sets)), 2), key=lambda ij: jaccard(sets[ij[0]], sets[ij[1]]))
    assert jaccard(sets[closest[0]], sets[closest[1]]) <= 0.6, [corpus.texts[i] for i in closest]


def test_files_are_one_object_a_line_with_the_same_keys(corpus):
    content = (DATA / f"{corpus.name}.jsonl").read_text(encoding="utf-8")
    assert content.endswith("\n")
    assert not content.endswith("\n\n")
    records = [json.loads(line) for line in content[:-1].split("\n")]
    assert {tuple(record) for record in records} == {tuple(records[0])}
    assert "\\u" not in content  # text as it is, not escaped
    assert sorted(records[0]) == sorted(corpus.columns)


def test_card_names_the_row_count_and_what_must_be_said(corpus):
    assert f"{len(corpus)} rows" in corpus.card
    assert all(f"`{label}`" in corpus.card for label in set(corpus.labels))
    for said in ("Written for this project", "no text was taken from", "Not a sample of real", "BSD-3-Clause"):
        assert said in corpus.card
    assert all(f"`{column}`" in corpus.card for column in corpus.columns)
    assert all(f"`{planted}`" in corpus.card for planted in set(corpus.column("planted")) - {None})


def test_every_file_has_a_card_and_every_card_is_in_the_index():
    index = (DATA / "README.md").read_text(encoding="utf-8")
    data_files = [path for path in DATA.iterdir() if path.suffix != ".md"]
    assert len(data_files) == 6
    for path in data_files:
        corpus_name = path.name.split(".")[0]
        card = DATA / f"{corpus_name}.md"
        assert card.is_file(), f"{path.name} has no card"
        assert path.name in {f"{corpus_name}.jsonl", f"{corpus_name}.tsv"} or path.name in card.read_text(
            encoding="utf-8"
        )
        assert f"]({card.name})" in index
        assert f"`{path.name}`" in index
        if corpus_name == "gendered_pairs":
            size = len(set(load_gendered_pairs(split="both").groups))
        else:
            size = len(load_dictionary()) if path.suffix == ".tsv" else len(load_corpora(corpus_name))
        assert f"| {size} |" in index


def test_the_folder_is_not_a_package():
    assert not (DATA / "__init__.py").exists()


def test_support_tickets():
    tickets = load_corpora("support_tickets")
    lasting = {label for label, planted in zip(tickets.labels, tickets.column("planted"), strict=True) if not planted}
    assert len(tickets) == 364
    assert len(lasting) == 7
    expected = {(label, week, None): 22 for label in lasting for week in (1, 2)}
    for label in lasting:
        assert f"| `{label}` | 22 | 22 | |" in tickets.card
    assert "| `landline_number` | 28 | 0 | `vanished_topic` |" in tickets.card
    assert "| `scam_messages` | 0 | 28 | `new_topic` |" in tickets.card
    expected[("landline_number", 1, "vanished_topic")] = expected[("scam_messages", 2, "new_topic")] = 28
    assert counts(tickets, "label", "week", "planted") == expected


def test_support_tickets_dates():
    tickets = load_corpora("support_tickets")
    assert (np.diff(tickets.dates) >= np.timedelta64(0, "D")).all()
    for week, first in ((1, "2024-03-04"), (2, "2024-03-11")):
        dates = tickets.where(week=week).dates
        per_day = [int((dates == np.datetime64(first) + day).sum()) for day in range(7)]
        assert sum(per_day) == len(dates) == 182
        assert max(per_day[5:]) < min(per_day[:5])


def test_product_reviews():
    reviews = load_corpora("product_reviews")
    assert len(reviews) == 360
    assert reviews.dates is None
    assert set(counts(reviews, "label", "source").values()) == {18}
    assert len(set(reviews.labels)) == 10
    assert counts(reviews, "source", "planted") == {("human_style", None): 180, ("imitation", "collapsed"): 180}
    assert set(reviews.column("source")[:180]) == {"human_style"}
    assert "has 18 reviews of each source" in reviews.card
    for source in ("human_style", "imitation"):
        part = reviews.where(source=source)
        lengths = [len(text.split()) for text in part]
        ratings = " | ".join(str(part.column("rating").count(stars)) for stars in range(1, 6))
        contracted = sum(bool(CONTRACTION.search(text)) for text in part)
        words_in_card = f"{min(lengths)} to {max(lengths)} ({np.mean(lengths):.1f})"
        assert f"| `{source}` | 180 | {words_in_card} | {ratings} | {contracted} |" in reviews.card


def test_the_imitation_is_less_diverse_in_length_and_words():
    reviews = load_corpora("product_reviews")
    lengths = {s: [len(t.split()) for t in reviews.where(source=s)] for s in ("human_style", "imitation")}
    vocabulary = {s: set().union(*map(words, reviews.where(source=s))) for s in lengths}
    assert np.std(lengths["imitation"]) < np.std(lengths["human_style"]) / 4
    assert abs(np.mean(lengths["imitation"]) - np.mean(lengths["human_style"])) < 3
    assert len(vocabulary["imitation"]) < 0.7 * len(vocabulary["human_style"])


def test_news_briefs():
    briefs = load_corpora("news_briefs")
    assert len(briefs) == 360
    assert (np.diff(briefs.dates) >= np.timedelta64(0, "D")).all()
    weeks = (briefs.dates - np.datetime64("2024-09-02")).astype(int) // 7
    assert np.bincount(weeks).tolist() == [30] * 12
    is_flood = np.array([planted == "emerging_story" for planted in briefs.column("planted")])
    assert is_flood.tolist() == [label == "flood" for label in briefs.labels]
    assert np.bincount(weeks[is_flood]).tolist() == [0] * 8 + [3, 9, 14, 12]
    assert "| flood | 0 | 3 | 9 | 14 | 12 |" in briefs.card
    assert "have 46 briefs each, `flood` has 38" in briefs.card
    sections = set(briefs.labels) - {"flood"}
    assert len(sections) == 7
    for section in sections:
        per_week = np.bincount(weeks[np.array(briefs.labels) == section], minlength=12)
        assert per_week.sum() == 46
        assert set(per_week[:8].tolist()) <= {4, 5}


def test_the_flood_follows_its_story():
    story = load_corpora("news_briefs").where(label="flood")
    turns = [
        "Forecasters have warned",
        "Red flood alert",
        "burst its banks",
        "arrested",
        "Insurers",
        "inquiry",
        "Two weeks after",
    ]
    positions = [next(i for i, text in enumerate(story.texts) if turn in text) for turn in turns]
    assert positions == sorted(positions)
    burst = story.dates[positions[2]]
    assert burst == np.datetime64("2024-11-09")  # a Saturday, as the text says
    assert story.dates[-1] - burst == np.timedelta64(15, "D")


@pytest.mark.parametrize("planted", ["new_topic", "vanished_topic"])
def test_planted_vocabulary_tells_the_topic(planted):
    tickets, vocabulary = load_corpora("support_tickets"), load_planted_vocabulary()[planted]
    inside = np.array([found == planted for found in tickets.column("planted")])
    assert len(vocabulary) >= 25
    assert len(set(vocabulary)) == len(vocabulary)
    for word in vocabulary:
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        found = np.array([bool(pattern.search(text.lower())) for text in tickets.texts])
        assert found[inside].sum() >= 2, word
        assert found[inside].mean() > 5 * found[~inside].mean(), word


def test_planted_vocabulary_names_the_planted_topics():
    assert set(load_planted_vocabulary()) == set(load_corpora("support_tickets").column("planted")) - {None}


def test_unknown_names():
    options = r"\{'news_briefs', 'product_reviews', 'support_tickets'\}"
    with pytest.raises(ValueError, match=rf"The 'name' parameter of load_corpora must be one of {options}. Got 'news'"):
        load_corpora("news")
    with pytest.raises(ValueError, match=r"of load_planted_vocabulary must be one of \{'support_tickets'\}"):
        load_planted_vocabulary("news_briefs")


def test_found_from_another_folder_and_without_heavy_imports(tmp_path):
    (tmp_path / "datasets").mkdir()  # as of another project
    code = (
        "import sys, xembed.datasets as d; n = len(d.load_corpora('news_briefs'));"
        "print(n, sorted({'pandas', 'pyarrow', 'torch', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "360 []"


def test_a_wheels_data_folder_comes_first(tmp_path, monkeypatch):
    (tmp_path / "news_briefs.jsonl").write_text('{"text": "From the wheel"}\n', encoding="utf-8")
    (tmp_path / "news_briefs.md").write_text("card", encoding="utf-8")
    assert _bundled._FOLDERS[0] == Path(_bundled.__file__).parent / "data"
    monkeypatch.setattr(_bundled, "_FOLDERS", (tmp_path, _bundled._FOLDERS[1]))
    assert load_corpora("news_briefs").texts == ("From the wheel",)
    assert len(load_corpora("support_tickets")) == 364  # not there, so from the checkout


def test_incomplete_installation(tmp_path, monkeypatch):
    monkeypatch.setattr(_bundled, "_FOLDERS", (tmp_path,))
    with pytest.raises(FileNotFoundError, match=r"'news_briefs.md'.* installation is incomplete. Reinstall xembed"):
        load_corpora("news_briefs")
