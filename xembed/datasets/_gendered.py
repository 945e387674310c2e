"""The project's own sentences in a female and a male form."""

from __future__ import annotations

import json
import re
from typing import Any

from xembed._core.validation import check_option
from xembed.datasets._bundled import find_bundled
from xembed.datasets._paired import PairedSentences

_VARIANTS = ("all", "subject")
_SPLITS = ("both", "test", "train")
_CLASSES = ("female", "male")
# [woman|man] speaks of the subject, {sister|brother} of another person.
_SLOT = re.compile(r"(?P<bracket>[\[{])(?P<f>[^|]+)\|(?P<m>[^|]+)[\]}]")


def load_gendered_pairs(variant: str = "all", split: str = "train") -> PairedSentences:
    """Return the project's own sentences, each in a female and a male form.

    500 sentences were written for this project, so that they can be shown and passed on. The two forms differ in
    the words that tell the gender of a person and in nothing else: these words are the ground truth.

    Parameters
    ----------
    variant : {'all', 'subject'}, default='all'
        'all': every word about a person's gender switches with the form, so that no such word is outside the ground
        truth. 'subject': only the words about the main person switch. 163 sentences speak of another person, too, who
        stays: female in 81 of them, male in 82.
    split : {'train', 'test', 'both'}, default='train'
        400 sentences to train on, the 100 others, or all in the order of the file.

    Returns
    -------
    PairedSentences
        Two rows a sentence, female (label 0) before male (label 1); ``groups`` holds the number of the sentence. The
        words are split as in GECO [1]_: punctuation marks are words of their own.

    Raises
    ------
    ValueError
        If there is no such variant or split.
    FileNotFoundError
        If the installation lacks the data.

    See Also
    --------
    load_geco : the sentences of GECO, from its files.

    References
    ----------
    .. [1] R. Wilming et al. "GECOBench: A Gender-Controlled Text Dataset and Benchmark for Quantifying Biases in
           Explanations". arXiv:2406.11547, 2024. The idea of the two variants is from there, no sentence is.

    Examples
    --------
    >>> from xembed.datasets import load_gendered_pairs
    >>> pairs = load_gendered_pairs("subject")
    >>> pairs
    PairedSentences('gendered pairs, subject, train': 800 rows of 400 sentences, female / male)
    >>> pairs.texts[0]
    'She put the kettle on and opened the window to let the smoke out .'
    >>> pairs.ground_truth[0][:3]
    (True, False, False)
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
