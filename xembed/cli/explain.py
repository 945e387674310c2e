"""The command ``xembed explain``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Option

from xembed._core.text import one_line
from xembed.cli.inputs import different_names, embed_with_reference, name_of, read_text_source
from xembed.cli.options import TEXTS, EncoderOptions, OutputOptions, ReadingOptions, Seed, command
from xembed.cli.outputs import check_outputs, printable_lines, say, stamped, warn, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from xembed.attribution import DepthExplanation, ShiftExplanation, ShiftTerm, SimilarityExplanation
    from xembed.datasets import TextTable

_LIMIT = 20
_TOP = 5
_NOT_VALIDATED = "The explanation was not validated on this corpus."


@command(
    'xembed explain --similarity "The king greeted his guests." "The queen welcomed visitors."',
    "xembed explain --depth new.txt --reference reviews.csv --limit 5 --out outliers.html",
    "xembed explain --shift last_week.csv this_week.csv --method last_layer",
    place=50,
)
def explain(
    reading: ReadingOptions,
    encoding: EncoderOptions,
    output: OutputOptions,
    similarity: Annotated[
        tuple[str, str] | None, Option(metavar="A B", help="Why are two texts similar? Give both, in quotes.")
    ] = None,
    depth: Annotated[Path | None, Option(metavar="FILE", help=f"Why are texts outliers? A file: {TEXTS}.")] = None,
    shift: Annotated[
        tuple[Path, Path] | None,
        Option(metavar="F G", help="Which words is a shift made of? The reference corpus and the other one."),
    ] = None,
    reference: Annotated[Path | None, "With --depth: the corpus. Default: the texts themselves, each left out."] = None,
    method: Annotated[
        str | None,
        "How words are found: integrated_jacobian, last_layer, leave_one_out or shapley; with --depth an attribution "
        "method (xembed geco --help lists them). Default: what did best where the truth was known.",
    ] = None,
    target: Annotated[
        Literal["nearest_similarity", "depth"] | None,
        "With --depth: similarity to the nearest texts (default), or depth in the whole corpus.",
    ] = None,
    trust: Annotated[
        bool | None,
        "With --depth: plant words in the corpus first, to see whether they are found. Default: yes.",
    ] = None,
    limit: Annotated[
        int | None, Option(min=1, help=f"With --depth: number of texts, the least deep. Default: {_LIMIT}.")
    ] = None,
    samples: Annotated[int | None, Option(min=2, help="Perturbed rows a text, for methods that draw.")] = None,
    top: Annotated[int | None, Option(min=1, help=f"Pairs of words, words or terms to print. Default: {_TOP}.")] = None,
    seed: Seed = 0,
) -> None:
    """Which words make two texts similar, a text an outlier, a corpus drift? Give one of the first three options."""
    _check_usage(similarity, depth, shift, reference=reference, target=target, trust=trust, limit=limit)
    destination = check_outputs(output, None, [depth, *(shift or ()), reference, encoding.model])
    options: dict[str, Any] = {"rng": seed}
    options |= {name: value for name, value in (("method", method), ("n_samples", samples)) if value is not None}
    n_printed = _TOP if top is None else top
    result: Any = None
    if similarity is not None:
        result = _explain_similarity(similarity, encoding, options, n_printed)
    elif depth is not None:
        itself = reference is not None and depth.exists() and reference.exists() and depth.samefile(reference)
        files = (depth, None if itself else reference)
        options |= {"trust": trust, "progress": encoding.progress} | ({} if target is None else {"target": target})
        sources = [None if file is None else _read(file, reading) for file in files]
        result = _explain_depth(files, sources, encoding, options, limit or _LIMIT, n_printed)
    elif shift is not None:
        options |= {"progress": encoding.progress, "top": max(n_printed, 10)}
        result = _explain_shift(shift, [_read(file, reading) for file in shift], encoding, options, n_printed)
    if destination is not None:
        say()
    write(stamped(result), destination, output)


def _check_usage(similarity: Any, depth: Any, shift: Any, **of_depth: Any) -> None:
    n_given = sum(value is not None for value in (similarity, depth, shift))
    if n_given != 1:
        raise typer.BadParameter(
            "exactly one of --similarity A B, --depth FILE and --shift F G must be given. "
            f"Got {('none', '', 'two', 'all three')[n_given]}."
        )
    for name, value in of_depth.items():
        if depth is None and value is not None:
            raise typer.BadParameter("goes with --depth only.", param_hint=f"--{name}")


def _read(path: Path, reading: ReadingOptions) -> TextTable:
    return read_text_source(path, reading, why=", which have no words to explain")


def _check_method(options: dict[str, Any], question: str) -> None:
    from xembed._core.validation import check_option
    from xembed.attribution._word_vectors import METHODS

    if "method" in options:
        check_option(options["method"], METHODS, name="method", caller=f"xembed explain --{question}")


def _explain_similarity(
    texts: tuple[str, str], encoding: EncoderOptions, options: dict[str, Any], top: int
) -> SimilarityExplanation:
    from xembed._core.validation import check_texts
    from xembed.attribution import explain_similarity
    from xembed.attribution._render import words_text

    check_texts(texts, name="--similarity")
    _check_method(options, "similarity")
    result = explain_similarity(encoding.encoder, *texts, **options)
    if result.unread:
        _say(result.unread)
    _say(f"Cosine {result.similarity:.3f}, by {result.label}")
    most = max(abs(float(value)) for value in (*result.values_a, *result.values_b))
    for name, words, values in (("A", result.words_a, result.values_a), ("B", result.words_b, result.values_b)):
        _say(f"\n{name}  ", words_text(words, values, most=most))
    _say(f"\n{'pair of words':<40}  adds to the cosine")
    for first, second, value in result.top(top):
        _say(f"{_clean(first, 18)} – {_clean(second, 18)}".ljust(40), f"  {value:+.3f}")
    if result.trust is not None:
        _say(f"\n{result.trust.verdict}")
    if result.rest is not None:
        rest = ", ".join(f"{name} {round(value, 3) + 0.0:+.3f}" for name, value in result.rest.items())
        _say(f"\nAll pairs {result.matrix.sum():+.3f}, {rest}; completeness error {result.completeness:.1e}")
    _say(result.what)
    _warn(result.notes)
    return result


def _explain_depth(
    files: tuple[Path, Path | None],
    sources: Sequence[TextTable | None],
    encoding: EncoderOptions,
    options: dict[str, Any],
    limit: int,
    top: int,
) -> DepthExplanation:
    import numpy as np

    from xembed.attribution import explain_depth
    from xembed.attribution._depth import NOT_VALIDATED
    from xembed.attribution._methods import find_methods
    from xembed.attribution._render import words_text
    from xembed.depth import tte_depth

    if "method" in options:
        find_methods([options["method"]], caller="xembed explain --depth")
    texts, reference = ([] if source is None else list(source.texts) for source in sources)
    corpus = reference or texts
    if len(corpus) < 2:
        name = str(files[1] or files[0])
        raise ValueError(f"{name!r} must hold at least 2 texts: depth is taken in a corpus. Got one.")
    options["trust"], why_not_validated = _can_validate(corpus, options["trust"])
    X, R, notes, _ = embed_with_reference(sources, encoding, files)
    rows = np.argsort(tte_depth(X, R), kind="stable")[:limit]
    result = explain_depth(
        encoding.encoder, [texts[row] for row in rows], corpus, exclude=None if reference else rows.tolist(), **options
    )
    summary = f"The {len(rows)} least deep of the {len(texts)} texts of {one_line(files[0].name)} are explained."
    if len(rows) < len(texts):
        notes.insert(0, summary)
    _say(f"{summary}\n{result.label}, {result.output.replace('_', ' ')}, in {result.n_reference} texts.")
    _say(f"\n{why_not_validated if result.trust is None else result.trust.verdict}")
    if result.signed:
        _say("+ pulls a text toward the corpus, − away from it.")
    for place, row in enumerate(rows):
        _say(
            f"\n{_row(sources[0], row)}  depth {result.depths[place]:.3f}, "
            f"deeper than {100 * result.deeper_than[place]:.0f} % of the corpus, "
            f"similarity to the nearest {result.nearest_similarity[place]:.3f}"
        )
        _say("  ", words_text(result.words[place], result.values[place], signed=result.signed))
        sign = "+" if result.signed else ""
        _say(f"  words: {', '.join(f'{_clean(word)} {value:{sign}.3f}' for word, value in result.top(place, top))}")
        _say(f"  a typical text near it: {one_line(result.typical_texts[place], 80)}")
    printed = (summary, NOT_VALIDATED, getattr(result.trust, "verdict", ""))
    result = replace(result, notes=(*notes, *result.notes))
    _warn([note for note in result.notes if note not in printed])
    return result


def _can_validate(corpus: list[str], trust: bool | None) -> tuple[bool, str]:
    """Return whether words can be planted in a corpus, and what to say if they are not. Asked for, it has to be."""
    import numpy as np

    from xembed.attribution._trust import plant

    if trust is False:
        return False, f"{_NOT_VALIDATED} Leave out --no-trust to validate it."
    try:
        rng = np.random.default_rng(0)
        plant(corpus, None, n_texts=2, n_words=(2, 4), off_topic=None, rng=rng, caller="xembed explain --trust")
    except ValueError as error:
        if trust:
            raise
        return False, f"{_NOT_VALIDATED} {error}"
    return True, ""


def _explain_shift(
    files: tuple[Path, Path], sources: list[TextTable], encoding: EncoderOptions, options: dict[str, Any], top: int
) -> ShiftExplanation:
    from xembed.attribution import explain_shift
    from xembed.encoders._corpora import notes_of_reading

    _check_method(options, "shift")
    for file, source in zip(files, sources, strict=True):
        if len(source) < 2:
            raise ValueError(f"{str(file)!r} must hold at least 2 texts. Got one.")
    names = different_names(*map(name_of, files))
    result = explain_shift(encoding.encoder, *(source.texts for source in sources), names=names, **options)
    _say(one_line(result.verdict, 2_000))
    for component in result.components:
        _say(
            f"\n{component.kind}: {one_line(component.label)}\n  size {component.size:.3f}; the same terms in other "
            f"contexts {component.context:+.3f}, residual {component.rest:+.3f}"
        )
        for what, terms in (("gained", component.came), ("lost", component.went)):
            if terms:
                _say(f"  {what}: ", _terms(terms[:top], result.fdr))
    _say(f"\n* more than chance explains, at a false discovery rate of {result.fdr:g}. {result.label}.")
    notes = [note for source, name in zip(sources, names, strict=True) for note in notes_of_reading(source, name)]
    result = replace(result, notes=(*notes, *result.notes))
    _warn(result.notes)
    return result


def _terms(terms: Sequence[ShiftTerm], fdr: float) -> str:
    return ", ".join(
        f"{_clean(term.term)} {term.contribution:+.4f}{'*' if term.qvalue <= fdr else ''}" for term in terms
    )


def _row(source: Any, place: int) -> str:
    """Return the number of a text in its file, and its identifier if it has one."""
    name = "" if source.ids is None else f" ({_clean(source.ids[place])})"
    return f"{source.unit} {source.rows[place]}{name}"


def _clean(word: str, length: int = 40) -> str:
    return one_line(word, length) or "�"


def _say(*parts: str | Text) -> None:
    """Print a line, in colors on a terminal; texts are no markup, and lines are left whole for pipes."""
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False).print(
        Text.assemble(*(printable_lines(part) if isinstance(part, str) else part for part in parts)), soft_wrap=True
    )


def _warn(notes: Sequence[str]) -> None:
    warn(one_line(note, 500) for note in notes)
