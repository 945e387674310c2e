"""Pairs of sentences with human scores of their similarity (STS)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core.files import check_file, is_stream, read_bytes
from xembed._core.validation import RNG, check_option, check_texts, is_name, quote_options
from xembed.datasets._draw import draw
from xembed.datasets._read_table import FORMATS, Form, check_form, ending, parse, split_lines, to_utf8

_INPUT, _GOLD, _END = "STS.input.", "STS.gs.", ".txt"
_ALL = "ALL"  # the concatenation of the other files
_STSB_CELLS = 7  # genre, file, year, id, score, sentence 1, sentence 2; some rows add sources
_SICK = ("sentence_A", "sentence_B", "relatedness_score")


class _Row(NamedTuple):
    where: str
    first: Any
    second: Any
    score: Any
    subset: str | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class STSPairs:
    """Pairs of sentences, each with a score of how similar they are; `load_sts` reads them.

    Parameters
    ----------
    name : str
        Name of the set in reports.
    first, second : sequence of str
        First and second sentence of each pair.
    scores : array-like of shape (n_pairs,)
        Scores of similarity, finite; higher means more similar. Kept as a read-only float64 array.
    subset : sequence of str, optional
        Part of the set that each pair is from.
    n_unscored : int, default=0
        Number of pairs without a score, which were dropped on reading.

    Raises
    ------
    TypeError, ValueError
        If there is no pair, lengths differ, a sentence is no string or blank, or a score is not finite.

    Examples
    --------
    >>> from xembed.datasets import STSPairs
    >>> STSPairs("mine", ["A cat.", "Rain."], ["A kitten.", "A train."], [4.2, 0.4])
    STSPairs('mine': 2 pairs)
    """

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    scores: npt.NDArray[np.float64]
    subset: tuple[str, ...] | None = None
    n_unscored: int = 0

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(f"The 'name' of STSPairs must be a name. Got {self.name!r} instead.")
        first = tuple(check_texts(self.first, name="first"))
        second = tuple(check_texts(self.second, name="second"))
        try:
            scores = np.array(self.scores, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"The 'scores' of STSPairs must be numbers: {error}.") from None
        subset = None if self.subset is None else tuple(check_texts(self.subset, name="subset", blank=True))
        lengths = {"first": len(first), "second": len(second), "scores": len(scores) if scores.ndim == 1 else None}
        lengths |= {} if subset is None else {"subset": len(subset)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"The parts of STSPairs must have one item a pair. Got {lengths} items.")
        bad = np.flatnonzero(~np.isfinite(scores))
        if len(bad):
            raise ValueError(
                f"The 'scores' of STSPairs must be finite. Got {len(bad)} that {'is' if len(bad) == 1 else 'are'} not "
                f"(first: pair {bad[0]}). Drop pairs without a score."
            )
        scores.setflags(write=False)
        for field, value in {"first": first, "second": second, "scores": scores, "subset": subset}.items():
            object.__setattr__(self, field, value)  # the way a frozen dataclass sets its own fields

    @property
    def sentences(self) -> tuple[str, ...]:
        """All different sentences, in the order in which they come first."""
        return tuple(dict.fromkeys((*self.first, *self.second)))

    def sample(self, n: int, rng: RNG = None) -> STSPairs:
        """Return ``n`` random pairs (at most all), in their order; ``rng=None`` is seed 0."""
        rows = draw(n, len(self), rng, of="pairs", caller="STSPairs.sample")[0].tolist()
        return dataclasses.replace(
            self,
            first=tuple(self.first[i] for i in rows),
            second=tuple(self.second[i] for i in rows),
            scores=self.scores[rows],
            subset=None if self.subset is None else tuple(self.subset[i] for i in rows),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        return f"STSPairs({self.name!r}: {len(self)} pair{'s' * (len(self) != 1)})"


def load_sts(
    path: str | os.PathLike[str],
    *,
    sentence1: str = "sentence1",
    sentence2: str = "sentence2",
    score: str = "score",
    delimiter: str | None = None,
    encoding: str | None = None,
) -> tuple[STSPairs, ...]:
    r"""Read pairs of sentences with scores, in the forms in which they are usually found.

    Parameters
    ----------
    path : path-like
        A folder of SemEval's STS tasks, with ``STS.input.*.txt`` and ``STS.gs.*.txt``: one `STSPairs` a file.
        ``STS.input.ALL.txt``, the concatenation, is read only if it is the only one.

        ``sts-train.csv``, ``sts-dev.csv`` or ``sts-test.csv`` of the STS Benchmark [1]_; the genre becomes ``subset``.

        A file of SICK [2]_, with its header: ``sentence_A``, ``sentence_B`` and ``relatedness_score``.

        A table with named columns, of the formats of `read_texts`.
    sentence1, sentence2, score : str
        Names of the columns; only for tables.
    delimiter, encoding : str, optional
        As in `read_texts`.

    Returns
    -------
    tuple of STSPairs
        One for a file, one for each pair of files in a folder, sorted by name. Quotes are literal but in .csv tables.
        Pairs without a score are dropped and counted in ``n_unscored``.

    Raises
    ------
    OSError, TypeError
        If a file can't be opened, or ``path`` is not a path.
    ValueError
        If a folder or file is in none of these forms (file and line are named), or no scored pair is left.

    References
    ----------
    .. [1] D. Cer et al. "SemEval-2017 Task 1: Semantic Textual Similarity Multilingual and Crosslingual Focused
           Evaluation". SemEval 2017.
    .. [2] M. Marelli et al. "A SICK cure for the evaluation of compositional distributional semantic models".
           LREC 2014.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xembed.datasets import load_sts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "pairs.csv"
    ...     _ = path.write_text("sentence1,sentence2,score\nA cat.,A kitten.,4.2\nRain.,A train.,0.4\n")
    ...     (pairs,) = load_sts(path)
    >>> pairs, pairs.scores
    (STSPairs('pairs': 2 pairs), array([4.2, 0.4]))
    """
    form = check_form(Form(delimiter, encoding, is_table=True), "load_sts")
    if isinstance(path, str | os.PathLike) and Path(path).is_dir():
        return _read_semeval(Path(path), repr(os.fspath(path)), encoding)
    suffix = None if is_stream(path) else ending(check_file(path, "load_sts")[0])
    tables = set(FORMATS) - {".txt"}
    if suffix not in {None, ".txt", *tables}:
        raise ValueError(_unknown(repr(os.fspath(path)), tables))
    data, file, source = read_bytes(path, "load_sts")
    if suffix in {".txt", ".csv", ".tsv"}:
        data, form = to_utf8(data, source, encoding), form._replace(encoding=None)
        header = data.partition(b"\n")[0].decode("utf-8").removesuffix("\r").split("\t")
        is_sick = {*_SICK} <= {*header}
        if is_sick or (len(header) >= _STSB_CELLS and _is_number(header[4])):
            lines = split_lines(data.decode("utf-8"))
            rows = _sick_rows(lines, header, source) if is_sick else _stsb_rows(lines, source)
            return (_collect(rows, name=file.stem, source=source),)
    if suffix == ".txt":
        raise ValueError(_unknown(source, tables))
    table = parse(data, suffix, source, form)
    for parameter, name in {"sentence1": sentence1, "sentence2": sentence2, "score": score}.items():
        check_option(name, list(table.columns), name=parameter, caller=f"load_sts, a column of {source},")
    columns = (table.columns[name] for name in (sentence1, sentence2, score))
    where = (f"{source}: {table.unit} {number}" for number in table.numbers)
    return (_collect(map(_Row, where, *columns), name=file.stem, source=source),)


def _unknown(source: str, tables: set[str]) -> str:
    return (
        f"{source} must be a file of the STS Benchmark, of SICK, or a table that ends in one of "
        f"{quote_options(tables)}, to be read by load_sts. Of a SemEval task give the folder."
    )


def _read_semeval(folder: Path, source: str, encoding: str | None) -> tuple[STSPairs, ...]:
    inputs, golds = _parts(folder, _INPUT), _parts(folder, _GOLD)
    if not inputs:
        raise ValueError(
            f"{source} must hold files {_INPUT}*{_END} and {_GOLD}*{_END} of a SemEval task, or be a file. "
            f"Got no {_INPUT}*{_END}."
        )
    if len(inputs) > 1 or len(golds) > 1:
        inputs, golds = inputs - {_ALL}, golds - {_ALL}
    for present, needed, lacking in ((inputs, golds, _GOLD), (golds, inputs, _INPUT)):
        if missing := sorted(present - needed):
            raise ValueError(
                f"{source} must hold {_INPUT}*{_END} and {_GOLD}*{_END} for each part. "
                f"Got no {lacking}{missing[0]}{_END}."
            )
    name = folder.resolve().name
    return tuple(
        _collect(
            _semeval_rows(folder, part, encoding),
            name=f"{name}/{part}",
            source=repr(str(folder / f"{_INPUT}{part}{_END}")),
        )
        for part in sorted(inputs)
    )


def _parts(folder: Path, start: str) -> set[str]:
    return {path.name.removeprefix(start).removesuffix(_END) for path in folder.glob(f"{start}*{_END}")}


def _semeval_rows(folder: Path, part: str, encoding: str | None) -> Iterator[_Row]:
    file, gold = folder / f"{_INPUT}{part}{_END}", folder / f"{_GOLD}{part}{_END}"
    lines, scores = (
        split_lines(to_utf8(*read_bytes(path, "load_sts")[::2], encoding).decode("utf-8")) for path in (file, gold)
    )
    if len(lines) != len(scores):
        raise ValueError(
            f"{str(gold)!r} must hold one line (a score, or nothing) for each line of {file.name}. "
            f"Got {len(scores)} for {len(lines)}."
        )
    for number, (line, score) in enumerate(zip(lines, scores, strict=True), start=1):
        where = f"{str(file)!r}: line {number}"
        first, *others = line.split("\t")
        if not others:
            raise ValueError(f"{where} must hold two sentences with a tab between them. Got one cell.")
        yield _Row(where, first, others[0], score)


def _stsb_rows(lines: list[str], source: str) -> Iterator[_Row]:
    meaning = " with tabs between them (genre, file, year, id, score, two sentences)"
    for where, cells in _cells(lines, 1, _STSB_CELLS, meaning, source):
        yield _Row(where, cells[5], cells[6], cells[4], subset=cells[0])


def _sick_rows(lines: list[str], header: list[str], source: str) -> Iterator[_Row]:
    places = [header.index(name) for name in _SICK]
    for where, cells in _cells(lines[1:], 2, len(header), ", as its header", source):
        yield _Row(where, *(cells[place] for place in places))


def _cells(lines: list[str], first: int, n_cells: int, meaning: str, source: str) -> Iterator[tuple[str, list[str]]]:
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) < n_cells:
            raise ValueError(f"{source}: line {number} must hold {n_cells} cells{meaning}. Got {len(cells)}.")
        yield f"{source}: line {number}", cells


def _collect(rows: Iterable[_Row], *, name: str, source: str) -> STSPairs:
    kept: list[_Row] = []
    scores: list[float] = []
    n_unscored = 0
    for row in rows:
        if row.score is None or (isinstance(row.score, str) and not row.score.strip()):
            n_unscored += 1
            continue
        for sentence in (row.first, row.second):
            if not isinstance(sentence, str) or not sentence.strip():
                raise ValueError(f"{row.where} must hold two sentences. Got {sentence!r:.60} for one of them.")
        if not _is_number(row.score):
            raise ValueError(f"{row.where} must hold a finite number as score. Got {row.score!r:.60} instead.")
        kept.append(row)
        scores.append(float(row.score))
    if not kept:
        raise ValueError(f"{source} holds no pair with a score. {n_unscored} without one were dropped.")
    first, second = tuple(row.first.strip() for row in kept), tuple(row.second.strip() for row in kept)
    subset = tuple(row.subset or "" for row in kept) if any(row.subset is not None for row in kept) else None
    return STSPairs(name, first, second, np.array(scores), subset, n_unscored)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return bool(np.isfinite(float(value)))
    except (TypeError, ValueError, OverflowError):
        return False
