"""The official files of GECO: sentences in several forms, downloaded, checked and repaired."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xembed._core.validation import check_flag, check_option, shows_progress
from xembed.datasets._paired import PairedSentences
from xembed.datasets._read_table import Columns, read_table
from xembed.encoders._cache import cache_folder

_BINARY = ("female", "male")
CLASSES = {
    **dict.fromkeys(("binary_gender_all", "binary_gender_subj"), _BINARY),
    **dict.fromkeys(("non_binary_gender_all", "non_binary_gender_subj"), (*_BINARY, "neutral")),
}
SPLITS = ("train", "test")
# The last commit that changed these files, as far as a public index shows; the checksums are of the files at f0907c6,
# the state that the benchmark was checked against. Were the pin wrong, the checksums would say so.
COMMIT = "ec5b95052c88d2da3e35df30b38b2cb39fa8cf04"
URL = f"https://raw.githubusercontent.com/braindatalab/gecobench/{COMMIT}/data/dataset"
SHA256 = {
    "binary_gender_all/train.jsonl": "2763003165719d26ef66503ef3943b782a77e4ef9741098a8e18ad1592ad0df9",
    "binary_gender_all/test.jsonl": "60f4f84ec5aa1d23eba47bec31e2e22b8c78557a2b28314549ab832d99960edd",
    "binary_gender_subj/train.jsonl": "590549986d54f2a7d5e49e2bcd66473e0ce79d53879960751c9e39395115f066",
    "binary_gender_subj/test.jsonl": "0ff41288c3691acc46a6df62a4fab407703e2c5a7a8e09f6cd71b3a679869d79",
    "non_binary_gender_all/train.jsonl": "ef1b972be4c3485027db7ead0df5dfeb4a4082e61a642c0da9d2eb7724ac8849",
    "non_binary_gender_all/test.jsonl": "08d5803e7b6aed5d3f894127a9f88b93ee3e9e35245e261444c68cb5bf57fdb6",
}
VARIANTS = tuple(dict.fromkeys(name.partition("/")[0] for name in SHA256))
_NOT_FETCHED = tuple(variant for variant in CLASSES if variant not in VARIANTS)

# The keys of `defects`: what was found, and what became of it.
LENGTHS = "rows with more or fewer words than marks (group dropped)"
UNEVEN = "groups whose forms differ in length (dropped)"
INCOMPLETE = "groups that lack a form or hold it twice (dropped)"
SAME_TEXT = "groups with the same text in two forms (dropped)"
NO_TRUTH = "rows without ground truth (group dropped)"
REPEATED = "rows with the text of an earlier row (group dropped)"
BLANK = "blank words (removed from all forms of the group)"
SPACES = "words that hold a blank (split)"
EDGES = "words with blanks at their ends (stripped)"
UNMARKED = "unmarked words that differ between forms (marked)"
OVERMARKED = "marked words that are the same in all forms (mark removed)"
DROPPED = "groups dropped in all"
_OF_GROUPS = (LENGTHS, UNEVEN, INCOMPLETE, SAME_TEXT, NO_TRUTH, REPEATED)
_KEYS = (*_OF_GROUPS, BLANK, SPACES, EDGES, UNMARKED, OVERMARKED, DROPPED)


@dataclass(frozen=True)
class _Form:
    words: tuple[str, ...]
    marks: tuple[bool, ...]
    label: int
    group: int

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def load_geco(
    path: str | os.PathLike[str], variant: str = "binary_gender_all", split: str = "train", *, repair: bool = True
) -> PairedSentences:
    r"""Read one of the official files of GECO [1]_, checked and, where that is possible, repaired.

    Each sentence is there in a female and a male form (``binary_gender_*``), or also in a neutral one
    (``non_binary_gender_*``). In ``*_all`` every word for a person follows the form, in ``*_subj`` only those for the
    subject. The ground truth are the words in which the forms of a sentence differ.

    Parameters
    ----------
    path : path-like
        Folder that holds the folders of the variants (``data/dataset`` of the repository, or what `fetch_geco`
        returns), or folder of the variant.
    variant : {'binary_gender_all', 'binary_gender_subj', 'non_binary_gender_all', 'non_binary_gender_subj'}
        Variant to read.
    split : {'train', 'test'}
        Part of it to read.
    repair : bool, default=True
        Whether to repair or drop what is wrong (see Notes). If false, any defect is an error that lists them.

    Returns
    -------
    PairedSentences
        Labels are 0 for female, 1 for male and 2 for neutral; rows with the same ``sentence_idx`` are a group, and
        every group has all forms. ``defects`` counts what was found, zeros included.

    Raises
    ------
    OSError, TypeError
        If the file can't be read, or ``path`` is not a path.
    ValueError
        If a line is not of the official format, there is no such variant or split, or no group is left.

    Notes
    -----
    A group is kept with all of its forms or dropped; the keys of ``defects`` say what is dropped and what is repaired.
    A blank word is removed with its mark from all forms; one that holds a blank is split, and its mark copied; marks
    are set anew where the forms differ. Rows are counted as in the file: one defect may show in several counts.

    References
    ----------
    .. [1] R. Wilming et al. "GECOBench: A Gender-Controlled Text Dataset and Benchmark for Quantifying Biases in
           Explanations". arXiv:2406.11547, 2024.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> from xembed.datasets import load_geco
    >>> rows = [
    ...     {"sentence": [word, "sings", "."], "ground_truth": [1, 0, 0], "gender": gender, "target": target,
    ...      "sentence_idx": 7}
    ...     for word, gender, target in [("He", "male", 1), ("She ", "female", 0)]
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "binary_gender_all", "train.jsonl")
    ...     file.parent.mkdir()
    ...     _ = file.write_text("\n".join(map(json.dumps, rows)))
    ...     pairs = load_geco(folder)
    >>> pairs, pairs.texts[1]
    (PairedSentences('GECO binary_gender_all train': 2 rows of 1 sentences, female / male), 'She sings .')
    >>> {defect: n for defect, n in pairs.defects.items() if n}
    {'words with blanks at their ends (stripped)': 1}
    """
    check_option(variant, CLASSES, name="variant", caller="load_geco")
    check_option(split, SPLITS, name="split", caller="load_geco")
    repair = check_flag(repair, name="repair", caller="load_geco")
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"The 'path' parameter of load_geco must be a path. Got {type(path).__name__} instead.")
    table = read_table(_find(Path(path), variant, split), caller="load_geco")
    n_classes = len(CLASSES[variant])
    groups: dict[int, list[_Form]] = {}
    for form in _forms(table, variant):
        groups.setdefault(form.group, []).append(form)
    defects = dict.fromkeys(_KEYS, 0)
    kept: list[_Form] = []
    texts: set[str] = set()
    for forms in groups.values():
        repaired = _check_group(forms, n_classes, texts, defects)
        texts.update(form.text for form in forms)
        kept += repaired
        defects[DROPPED] += not repaired
    if not repair and any(defects.values()):
        counts = "; ".join(f"{count} {what.partition(' (')[0]}" for what, count in defects.items() if count)
        counts = counts.replace(f" {DROPPED}", " groups that can't be repaired")
        raise ValueError(f"{table.source} must be free of defects with repair=False. Got {counts}.")
    if not kept:
        raise ValueError(
            f"{table.source} must hold a complete group without defects. All {len(groups)} groups were dropped."
        )
    return PairedSentences(
        name=f"GECO {variant} {split}",
        sentences=tuple(form.words for form in kept),
        ground_truth=tuple(form.marks for form in kept),
        labels=tuple(form.label for form in kept),
        groups=tuple(form.group for form in kept),
        classes=CLASSES[variant],
        defects=defects,
    )


def _find(path: Path, variant: str, split: str) -> Path:
    inside = path / variant / f"{split}.jsonl"
    if inside.is_file():
        return inside
    if path.is_file():
        raise NotADirectoryError(
            f"{str(path)!r} must be the folder that holds the variants of GECO, or that of one variant. Got a file."
        )
    if (path / f"{split}.jsonl").is_file():
        named = path.resolve().name
        if named in CLASSES and named != variant:
            raise ValueError(
                f"{str(path)!r} must be the folder of the variant {variant!r}. Got that of {named!r}: pass "
                f"variant={named!r}, or the folder above."
            )
        return path / f"{split}.jsonl"
    raise FileNotFoundError(f"{str(inside)!r} can't be read: there is no such file. fetch_geco downloads the files.")


def _forms(table: Columns, variant: str) -> Iterator[_Form]:
    names = ("sentence", "ground_truth", "target", "sentence_idx", "gender")
    columns = [table.columns.get(name, [None] * len(table.numbers)) for name in names]
    if not table.numbers:
        raise ValueError(f"{table.source} must hold a JSON object a line. Got an empty file.")
    classes = CLASSES[variant]
    for number, words, marks, target, group, gender in zip(table.numbers, *columns, strict=True):
        where = f"{table.source}: line {number}"
        if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
            raise ValueError(f"{where} must hold a list of words as 'sentence'. Got {words!r:.60} instead.")
        if not (isinstance(marks, list) and all(isinstance(mark, int | float) and mark in (0, 1) for mark in marks)):
            raise ValueError(f"{where} must hold a list of 0 and 1 as 'ground_truth'. Got {marks!r:.60} instead.")
        if not (_is_integer(target) and 0 <= target < len(classes)):
            raise ValueError(
                f"{where} must hold a number from 0 to {len(classes) - 1} as 'target', for the forms {classes} of "
                f"{variant}. Got {target!r:.60} instead."
            )
        if gender is not None and gender != classes[target]:
            raise ValueError(
                f"{where} must hold as 'gender' the name of its 'target' {target}, {classes[target]!r}. "
                f"Got {gender!r:.60} instead."
            )
        if not _is_integer(group):
            raise ValueError(f"{where} must hold an integer as 'sentence_idx'. Got {group!r:.60} instead.")
        yield _Form(tuple(words), tuple(bool(mark) for mark in marks), int(target), int(group))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_group(forms: list[_Form], n_classes: int, earlier: set[str], defects: dict[str, int]) -> list[_Form]:
    """Count what is wrong and return the forms repaired, or none where they must be dropped."""
    texts = [form.text for form in forms]
    counts = {
        LENGTHS: sum(len(form.words) != len(form.marks) for form in forms),
        INCOMPLETE: sorted(form.label for form in forms) != list(range(n_classes)),
        SAME_TEXT: len(set(texts)) < len(texts),
        NO_TRUTH: sum(not any(form.marks) for form in forms),
        REPEATED: sum(text in earlier or text in texts[:i] for i, text in enumerate(texts)),
    }
    for key, count in counts.items():
        defects[key] += int(count)
    words = [word for form in forms for word in form.words]
    defects[BLANK] += sum(not word.strip() for word in words)
    defects[SPACES] += sum(len(word.split()) > 1 for word in words)
    defects[EDGES] += sum(bool(word.strip()) and word != word.strip() for word in words)
    if len({len(form.words) for form in forms} | {len(form.marks) for form in forms}) > 1:
        defects[UNEVEN] += not counts[LENGTHS]
        return []  # which word belongs to which can't be known
    forms = _repair_words(_repair_marks(forms, defects))
    if len({len(form.words) for form in forms if form.label < len(_BINARY)}) > 1:
        defects[UNEVEN] += 1
        return []
    # Without a removed word, forms may be the same that were not before.
    same = len({form.text for form in forms}) < len(forms)
    defects[SAME_TEXT] += same and not counts[SAME_TEXT]
    return [] if same or counts[INCOMPLETE] or counts[REPEATED] or not forms[0].marks else forms


def _repair_marks(forms: list[_Form], defects: dict[str, int]) -> list[_Form]:
    """Mark exactly the positions at which the forms differ, apart from blanks around a word."""
    columns = [{word.strip() for word in column} for column in zip(*(form.words for form in forms), strict=True)]
    truth = tuple(len(column) > 1 for column in columns)
    if not any(truth):  # nothing to go by
        return forms
    for form in forms:
        defects[UNMARKED] += sum(new and not old for new, old in zip(truth, form.marks, strict=True))
        defects[OVERMARKED] += sum(old and not new for new, old in zip(truth, form.marks, strict=True))
    return [dataclasses.replace(form, marks=truth) for form in forms]


def _repair_words(forms: list[_Form]) -> list[_Form]:
    blank = {i for form in forms for i, word in enumerate(form.words) if not word.strip()}
    repaired = []
    for form in forms:
        kept = [i for i in range(len(form.words)) if i not in blank]
        words = tuple(part for i in kept for part in form.words[i].split())
        marks = tuple(form.marks[i] for i in kept for _ in form.words[i].split())
        repaired.append(dataclasses.replace(form, words=words, marks=marks))
    return repaired


def fetch_geco(
    variant: str | None = None,
    *,
    url: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> Path:
    """Download the official files of GECO, once, and return the folder that `load_geco` reads.

    Uses the network. Files are of a fixed state of https://github.com/braindatalab/gecobench (BSD-3-Clause; sentences
    derive from Wikipedia, CC BY-SA) and checked against their SHA-256, which is not known of the variant
    ``non_binary_gender_subj``: `load_geco` reads it from a copy of the repository.

    Parameters
    ----------
    variant : {'binary_gender_all', 'binary_gender_subj', 'non_binary_gender_all'}, optional
        Variant to fetch, train and test; by default all three.
    url : str, optional
        Address of the folder that holds the variants on a mirror, instead of GitHub. It must serve the same files.
    cache_dir : path-like, optional
        Folder to keep them in. By default that of ``XEMBED_CACHE``, else the user's cache folder of the system.
    progress : bool, optional
        Whether to show a progress bar. By default if stderr is a terminal.

    Returns
    -------
    Path
        The folder. Files that are there and right are not fetched again.

    Raises
    ------
    OSError
        If a file can't be fetched or written. Files are there whole or not at all.
    ValueError
        If there is no such variant, it can't be verified, or what came is not the expected file.

    Examples
    --------
    >>> from xembed.datasets import fetch_geco, load_geco
    >>> folder = fetch_geco("binary_gender_all")  # doctest: +SKIP
    >>> load_geco(folder, split="test")  # doctest: +SKIP
    PairedSentences('GECO binary_gender_all test': 644 rows of 322 sentences, female / male)
    """
    if variant in _NOT_FETCHED:
        raise ValueError(
            f"fetch_geco can't verify the files of {variant!r}, since their checksums are not known. Download them "
            "from https://github.com/braindatalab/gecobench (data/dataset) and read them with load_geco."
        )
    variants = VARIANTS if variant is None else (check_option(variant, VARIANTS, name="variant", caller="fetch_geco"),)
    base = URL if url is None else url
    if not isinstance(base, str) or not base.startswith(("https://", "http://")):
        raise ValueError(
            f"The 'url' parameter of fetch_geco must be an address that starts with https:// or http://. Got {base!r}."
        )
    show = shows_progress(progress, caller="fetch_geco")
    folder = cache_folder(cache_dir) / "geco" / COMMIT[:12]
    for name in (f"{folder_name}/{split}.jsonl" for folder_name in variants for split in SPLITS):
        _fetch(f"{base.rstrip('/')}/{name}", folder / name, SHA256[name], progress=show)
    return folder


def _fetch(url: str, target: Path, sha256: str, *, progress: bool) -> None:
    import pooch
    import requests

    try:
        with _quiet(pooch.get_logger()):
            # pooch writes beside the target and gives it its name only if the checksum is right.
            downloader = pooch.HTTPDownloader(progressbar=progress)
            pooch.retrieve(url, f"sha256:{sha256}", target.name, target.parent, downloader=downloader)
    except requests.exceptions.RequestException as error:
        raise OSError(
            f"{url!r} can't be fetched: {error}. Nothing was kept of it. Try again, or give a mirror with url=..."
        ) from error
    except ValueError:
        raise ValueError(
            f"{url!r} must be the file with the SHA-256 {sha256}. Got another one, of which nothing was kept: "
            "the download was damaged, or what is there has changed."
        ) from None


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch from writing a line a file to the standard error stream."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
