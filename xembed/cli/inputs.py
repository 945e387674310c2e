"""What commands read: texts or ready embeddings from files, and embeddings of the texts."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from xembed._core.text import count, first_of
from xembed.cli.options import EncoderOptions, ReadingOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from xembed.datasets import TextTable
    from xembed.encoders._corpora import Embedded

TextsBeside = Annotated[
    Path | None, Option("--texts", help="The texts of ready embeddings, and their columns, a row each.")
]

_ISO = re.compile(r"\d{4}-\d\d(-\d\d)?(?=T\d\d|[^\w-]|$)")


def read_source(path: Path, reading: ReadingOptions) -> TextTable | npt.NDArray[Any]:
    """Read texts or ready embeddings: those of .npy, or of a table where their column is named."""
    from xembed.datasets import read_embeddings, read_texts

    options = dataclasses.asdict(reading)
    column = options.pop("embedding_column")
    if path.suffix.lower() in {".npy", ".npz"}:
        return read_embeddings(path)
    if column is not None:
        form = {name: options[name] for name in ("delimiter", "encoding")}
        return read_embeddings(path, embedding_column=column, **form)
    return read_texts(path, **options)


def read_text_source(path: Path, reading: ReadingOptions, *, why: str) -> TextTable:
    """Read texts; embeddings are refused, and ``why`` says for what reason."""
    source = read_source(path, dataclasses.replace(reading, embedding_column=None))
    if texts_of(source) is None:
        raise ValueError(f"{str(path)!r} holds embeddings{why}. Give a file of texts.")
    return source  # type: ignore[return-value]


def texts_of(source: TextTable | npt.NDArray[Any]) -> tuple[str, ...] | None:
    """Return the texts of a source, or None for embeddings."""
    return getattr(source, "texts", None)


def check_same_kind(first: Any, second: Any, names: str) -> None:
    """Refuse texts beside embeddings; ``names`` says which inputs these are."""
    if (texts_of(first) is None) != (texts_of(second) is None):
        raise ValueError(
            f"{names} must both be texts, or both embeddings of the same model. Got one of each: embed the texts with "
            "that model first (xembed embed)."
        )


def name_of(path: Path) -> str:
    """Return what a corpus is called after its file: the name without endings."""
    from xembed._core.files import is_stream

    return "standard input" if is_stream(path) else Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def file_name(path: Path) -> str:
    """Return what a file is called in warnings."""
    from xembed._core.files import is_stream

    return "standard input" if is_stream(path) else path.name


def different_names(first: str, second: str) -> tuple[str, str]:
    """Return the names of two corpora, told apart if they are the same; names of files need not be valid Unicode."""
    first, second = (name.encode("utf-8", "replace").decode() for name in (first, second))
    return (first, second) if first != second else (f"{first} (F)", f"{second} (G)")


@dataclasses.dataclass(frozen=True)
class Source:
    """Texts, or embeddings (``data``) with their texts if there are any; ``rows`` and ``skipped`` count as files do."""

    path: Path
    data: TextTable | npt.NDArray[Any]
    table: TextTable | None
    rows: Sequence[int]
    skipped: Sequence[int] = ()
    notes: tuple[str, ...] = ()
    reading: ReadingOptions | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def texts(self) -> tuple[str, ...] | None:
        """The texts, where there are any."""
        return None if self.table is None else self.table.texts

    @property
    def places(self) -> list[int]:
        """Where each row was, from 0, before any were dropped: lines of two files do not count alike."""
        place = {number: i for i, number in enumerate(sorted([*self.rows, *self.skipped]))}
        return [place[number] for number in self.rows]

    def take(self, indices: Any, *notes: str) -> Source:
        """Return some rows with all that belongs to them."""
        import numpy as np

        index = np.asarray(indices, dtype=np.intp)
        table = None if self.table is None else self.table[index]
        data = table if self.data is self.table and table is not None else self.data[index]
        rows = [self.rows[i] for i in index.tolist()]
        return dataclasses.replace(self, data=data, table=table, rows=rows, notes=(*self.notes, *notes))

    def column(self, name: str, option: str, *, complete: bool = True) -> list[Any]:
        """Return the column that an option names; ``complete`` refuses blank cells, which would pass for one group."""
        from xembed._core.inputs import is_blank
        from xembed._core.validation import quote_options

        beside = _columns_beside(self.path, self.reading) if self.table is None else {}
        columns = beside if self.table is None else self.table.columns
        if not columns:
            raise ValueError(
                f"{str(self.path)!r} holds embeddings only, so it has no column {name!r}. Give a table of their texts, "
                "too (--texts, --texts-f, --texts-g)."
            )
        if name not in columns:
            names = quote_options(columns)
            raise ValueError(
                f"{option} must be one of {names}, the columns of {str(self.path)!r}. Got {name!r} instead."
            )
        values = [beside[name][row] for row in self.rows] if self.table is None else list(self.table.column(name))
        missing = [place for place, value in enumerate(values) if complete and is_blank(value)]
        if missing:
            raise ValueError(
                f"{str(self.path)!r} must have a value in each cell of {name!r}. {len(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} blank ({self._list_rows(missing)}): fill them in, or drop the "
                "rows."
            )
        return values

    def _list_rows(self, places: Sequence[int]) -> str:
        """Name rows as they are counted in the file, not all of many."""
        unit = "row" if self.table is None else self.table.unit
        return f"{unit}{'s' * (len(places) > 1)} {first_of((self.rows[place] for place in places), 5)}"


def open_source(path: Path, reading: ReadingOptions, beside: Path | None = None, option: str = "--texts") -> Source:
    """Read texts, or embeddings and, from the file ``beside``, their texts; ``option`` is what names that file."""
    data = read_source(path, reading)
    if texts_of(data) is not None:
        if beside is not None:
            raise ValueError(f"{option} goes with ready embeddings. {str(path)!r} holds texts: leave it out.")
        table: Any = data
        return Source(path, table, table, table.rows, table.skipped)
    if beside is None and reading.embedding_column is not None and reading.text_column is not None:
        beside = path  # one file has both
    if beside is None:
        return Source(path, data, None, range(len(data)), reading=reading)
    reading = dataclasses.replace(reading, embedding_column=None)
    table = read_text_source(beside, reading, why=f", where {option} must name the texts")
    n_texts = len(table) + len(table.skipped)
    if n_texts != len(data):
        raise ValueError(
            f"{option} must name the texts of {str(path)!r}, a row each, in the same order. Got {n_texts} texts for "
            f"{len(data)} embeddings."
        )
    source = Source(path, data, table, table.rows, table.skipped)
    if not table.skipped:
        return source
    note = (
        f"{len(table.skipped)} of the texts of {file_name(beside)} are blank: they and their embeddings were dropped."
    )
    return dataclasses.replace(source, data=data[source.places], notes=(note,))


def _columns_beside(path: Path, reading: ReadingOptions | None) -> Mapping[str, Sequence[Any]]:
    """Return the columns beside the embeddings of a table; of arrays and of what can be read once there are none."""
    from xembed._core.files import is_stream
    from xembed.datasets import read_columns

    if reading is None or is_stream(path) or path.suffix.lower() == ".npz":
        return {}
    form = {name: getattr(reading, name) for name in ("embedding_column", "delimiter", "encoding")}
    return read_columns(path, **form)


def keep_together(F: Source, G: Source) -> tuple[Source, Source]:
    """Return the pairs of which both rows are left: what was dropped from one corpus goes from the other."""
    sizes = [len(source) + len(source.skipped) for source in (F, G)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"--paired needs as many rows in F as in G: row i of both is a pair. Got {sizes[0]} and {sizes[1]}."
        )
    at = [{place: i for i, place in enumerate(source.places)} for source in (F, G)]
    both = sorted(at[0].keys() & at[1].keys())
    n_dropped = sizes[0] - len(both)
    if not n_dropped:
        return F, G
    verb = "were" if n_dropped > 1 else "was"
    note = f"{count(n_dropped, 'pair')} of which a text is blank {verb} dropped, both texts."
    return F.take([at[0][place] for place in both], note), G.take([at[1][place] for place in both])


def split_by(source: Source, column: str, reference: str, other: str | None) -> tuple[Source, Source, tuple[str, str]]:
    """Return two corpora of one: rows with the value ``reference`` of a column, and all others or those with ``other``.

    In a column of dates these are the rows before the day ``reference``, and the rows from it on, unless ``other`` is
    given. The names say which is which.
    """
    import numpy as np

    if other == reference:
        raise ValueError(f"--compare must be another value than --reference. Got {reference!r} for both.")
    written = np.array(list(map(str, source.column(column, "--split-by"))), dtype=object)
    dated = other is None and all(_ISO.match(value) for value in written)
    if dated and _ISO.match(reference):
        first = np.array([value < reference for value in written])
        second, names = ~first, (f"before {reference}", f"from {reference}")
    else:
        first, names = written == reference, (reference, other or f"not {reference}")
        second = ~first if other is None else written == other
    for asked, rows, option in ((reference, first, "--reference"), (other, second, "--compare")):
        if not rows.any():
            values = first_of(map(repr, sorted(set(written.tolist()))), 12, total=True)
            got = "no row for it" if asked is None else repr(asked)
            raise ValueError(f"{option} must select rows by {column!r}, whose values are {values}. Got {got}.")
    F, G = source.take(np.flatnonzero(first)), source.take(np.flatnonzero(second))
    return F, dataclasses.replace(G, notes=()), names


def sample_of(
    sources: tuple[Source, Source], n: int, names: tuple[str, str], *, group_column: str | None, paired: bool, seed: int
) -> tuple[Source, Source]:
    """Return at most ``n`` random rows of each corpus: the same of pairs; of groups whole ones until it has ``n``."""
    import numpy as np

    rng = np.random.default_rng([seed, 0x5A])  # not the stream of the permutations
    samples: list[Source] = []
    index: Any = None
    for source, name in zip(sources, names, strict=True):
        if len(source) <= n:
            samples.append(source)
            continue
        if index is None or not paired:
            index = _draw(source if group_column is None else source.column(group_column, "--group-column"), n, rng)
        note = f"A random sample of {len(index):,} of the {len(source):,} texts of {name} was compared (--sample {n})."
        samples.append(source.take(index, note))
    return samples[0], samples[1]


def _draw(groups: Any, n: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return rows in their order: ``n`` of a source, or those of groups in random order until there are ``n``."""
    import numpy as np

    if isinstance(groups, Source):
        return np.sort(rng.choice(len(groups), n, replace=False))
    numbers: dict[Any, int] = {}
    of_rows = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    order = rng.permutation(len(numbers))
    enough = int(np.searchsorted(np.cumsum(np.bincount(of_rows)[order]), n)) + 1
    return np.flatnonzero(np.isin(of_rows, order[:enough]))


def metadata_of(sources: tuple[Source, Source], first: Sequence[str | None]) -> tuple[dict[str, Any], ...]:
    """Return the rows of both corpora in their files and a few columns of short values, ``first`` before others."""
    from xembed.encoders._corpora import columns_beside

    tables, rows = [source.table for source in sources], [source.rows for source in sources]
    return columns_beside(tables, rows, left_out="text", first=first)


def embed_source(source: Source | TextTable | npt.NDArray[Any], encoding: EncoderOptions, name: str) -> Embedded:
    """Return the embeddings of a source, which warnings call ``name``."""
    from xembed.encoders._corpora import Embedded, embed

    if isinstance(source, Source):
        embedded = embed_source(source.data, encoding, name)
        return embedded._replace(warnings=[*source.notes, *embedded.warnings])
    texts = texts_of(source)
    if texts is None:
        return Embedded(source, [], None)  # type: ignore[arg-type]
    return embed(texts, encoding.encoder, name=name, table=source)


def embed_with_reference(
    sources: Sequence[Any], encoding: EncoderOptions, files: Sequence[Path | None]
) -> tuple[npt.NDArray[np.floating[Any]], npt.NDArray[np.floating[Any]] | None, list[str], list[float]]:
    """Return the embeddings of a source and of its reference corpus, warnings, and `Encoding.unread` of each."""
    parts = [
        embed_source(s, encoding, file_name(file)) for s, file in zip(sources, files, strict=True) if file is not None
    ]
    warnings = [warning for part in parts for warning in part.warnings]
    reference = parts[1].embeddings if len(parts) > 1 else None
    return parts[0].embeddings, reference, warnings, [part.unread for part in parts]
