"""The corpora that come with xembed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from xembed._core.validation import check_option
from xembed.datasets._read import read_texts
from xembed.datasets._tables import TextTable

_CORPORA = ("news_briefs", "product_reviews", "support_tickets")
_WITH_VOCABULARY = ("support_tickets",)

# In a wheel the data lie beside this file; in a checkout (and an editable installation) in its datasets/.
_FOLDERS = (Path(__file__).parent / "data", Path(__file__).parents[2] / "datasets")


def load_corpora(name: str) -> TextTable:
    """Return one of the corpora that come with xembed, each with a planted change to find.

    The texts were written for this project for demonstration; companies, people and places are invented.
    ``card`` of the result says more.

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
    FileNotFoundError
        If the installation lacks the data.

    See Also
    --------
    load_planted_vocabulary : words that tell the planted topics of the tickets.

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
    """Return the words that tell the planted topics of a corpus from its other texts.

    A method that says which words explain a change can be checked against them.

    Parameters
    ----------
    name : {'support_tickets'}, default='support_tickets'
        Name of the corpus.

    Returns
    -------
    dict of str to tuple of str
        For each value of the column 'planted' the words, in lower case. Each is in at least two texts of
        the planted topic and in a smaller share of all others.

    Raises
    ------
    ValueError
        If there is no such corpus or it has no such words.
    FileNotFoundError
        If the installation lacks the data.

    Examples
    --------
    >>> from xembed.datasets import load_planted_vocabulary
    >>> words = load_planted_vocabulary()
    >>> sorted(words)
    ['new_topic', 'vanished_topic']
    >>> "phishing" in words["new_topic"]
    True
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
