"""The corpora and the sentences in two forms that come with xembed."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from xembed._core.validation import check_option
from xembed.datasets._paired import PairedSentences
from xembed.datasets._read import read_texts
from xembed.datasets._tables import TextTable

_CORPORA = ("news_briefs", "product_reviews", "support_tickets")
_WITH_VOCABULARY = ("support_tickets",)
_VARIANTS = ("all", "subject")
_SPLITS = ("both", "test", "train")
_CLASSES = ("female", "male")
# [woman|man] speaks of the subject, {sister|brother} of another person.
_SLOT = re.compile(r"(?P<bracket>[\[{])(?P<f>[^|]+)\|(?P<m>[^|]+)[\]}]")

# In a wheel the data lie beside this file; in a checkout (and an editable installation) in its datasets/.
_FOLDERS = (Path(__file__).parent / "data", Path(__file__).parents[2] / "datasets")


def load_corpora(name: str) -> TextTable:
    """Return one of the corpora that come with xembed, each with a planted change to find.

    The texts were written for this project; companies, people and places are invented (see ``card`` of the result).

    Parameters
    ----------
    name : {'news_briefs', 'product_reviews', 'support_tickets'}
        'support_tickets': 364 messages to a broadband provider in two weeks, labeled by topic; one topic is only in
        week 1, another only in week 2. 'product_reviews': 360 reviews labeled by product, half in varied and half in
        uniform prose. 'news_briefs': 360 briefs of twelve weeks, labeled by section; a flood comes up in week 9.

    Returns
    -------
    TextTable
        With labels, dates (not for the reviews) and a column 'planted' that is ``None`` for texts of no planted change.

    Raises
    ------
    ValueError
        If there is no such corpus.

    Examples
    --------
    >>> from xembed.datasets import load_corpora
    >>> tickets = load_corpora("support_tickets")
    >>> tickets
    TextTable('support_tickets': 364 texts, columns 'text', 'label', 'date', 'week', 'planted')
    >>> sorted(set(tickets.where(planted="new_topic").column("week")))
    [2]
    """
    check_option(name, _CORPORA, name="name", caller="load_corpora")
    card = find_bundled(f"{name}.md").read_text(encoding="utf-8")
    return dataclasses.replace(read_texts(find_bundled(f"{name}.jsonl")), name=name, card=card)


def load_planted_vocabulary(name: str = "support_tickets") -> dict[str, tuple[str, ...]]:
    """Return the words that tell the planted topics of a corpus, to check methods that explain a change by words.

    Parameters
    ----------
    name : {'support_tickets'}, default='support_tickets'
        Name of the corpus.

    Returns
    -------
    dict of str to tuple of str
        For each value of the column 'planted' the words, in lower case. Each is in at least two texts of the planted
        topic and in a smaller share of all others.

    Raises
    ------
    ValueError
        If there is no such corpus with words.

    Examples
    --------
    >>> from xembed.datasets import load_planted_vocabulary
    >>> words = load_planted_vocabulary()
    >>> sorted(words), "phishing" in words["new_topic"]
    (['new_topic', 'vanished_topic'], True)
    """
    check_option(name, _WITH_VOCABULARY, name="name", caller="load_planted_vocabulary")
    words = json.loads(find_bundled(f"{name}.vocabulary.json").read_text(encoding="utf-8"))
    return {planted: tuple(terms) for planted, terms in words.items()}


def find_bundled(filename: str) -> Path:
    # By the file, not by the folder: beside an installed package there may be another project's datasets/.
    for folder in _FOLDERS:
        if (folder / filename).is_file():
            return folder / filename
    raise FileNotFoundError(
        f"{filename!r}, a part of xembed, is missing: the installation is incomplete. Reinstall xembed."
    )


def load_gendered_pairs(variant: str = "all", split: str = "train") -> PairedSentences:
    """Return the project's own sentences, each in a female and a male form.

    500 sentences were written for this project. The two forms differ only in the words that tell the gender of a
    person: these words are the ground truth.

    Parameters
    ----------
    variant : {'all', 'subject'}, default='all'
        'all': every word about a person's gender switches with the form. 'subject': only the words about the main
        person switch; in 163 sentences another person stays: female in 81 of them, male in 82.
    split : {'train', 'test', 'both'}, default='train'
        400 sentences to train on, the 100 others, or all in the order of the file.

    Returns
    -------
    PairedSentences
        Two rows a sentence, female (label 0) before male (label 1); ``groups`` holds the number of the sentence. The
        words are split as in GECO (`load_geco`): punctuation marks are words of their own.

    Raises
    ------
    ValueError
        If there is no such variant or split.

    Examples
    --------
    >>> from xembed.datasets import load_gendered_pairs
    >>> pairs = load_gendered_pairs("subject")
    >>> pairs
    PairedSentences('gendered pairs, subject, train': 800 rows of 400 sentences, female / male)
    >>> pairs.texts[0], pairs.ground_truth[0][:3]
    ('She put the kettle on and opened the window to let the smoke out .', (True, False, False))
    """
    check_option(variant, _VARIANTS, name="variant", caller="load_gendered_pairs")
    check_option(split, _SPLITS, name="split", caller="load_gendered_pairs")
    # Not splitlines(): it also splits at characters that may stand inside a JSON string.
    lines = find_bundled("gendered_pairs.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    rows = [row for row in map(json.loads, lines) if split in ("both", row["split"])]
    forms = [(row["id"], label, _fill(row, label, variant)) for row in rows for label in range(len(_CLASSES))]
    return PairedSentences(
        name=f"gendered pairs, {variant}, {split}",
        sentences=tuple(words for _, _, (words, _) in forms),
        ground_truth=tuple(marks for _, _, (_, marks) in forms),
        labels=tuple(label for _, label, _ in forms),
        groups=tuple(number for number, _, _ in forms),
        classes=_CLASSES,
    )


def _fill(row: dict[str, Any], label: int, variant: str) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """Return the words of one form of a row's template, and which of them switch."""
    form = "fm"[label]
    words: list[str] = []
    marks: list[bool] = []
    for part in row["template"].split(" "):
        slot = _SLOT.fullmatch(part)
        switches = slot is not None and (variant == "all" or slot["bracket"] == "[")
        words.append(part if slot is None else slot[form if switches else row["other_form"]])
        marks.append(switches)
    return tuple(words), tuple(marks)
