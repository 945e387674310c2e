"""The command ``xembed explain``."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xembed._core.text import one_line
from xembed.cli.inputs import Encode, embed_source, encoder_on_demand, read_source, signed, texts_of
from xembed.cli.options import (
    BatchSize,
    Cache,
    Device,
    Layer,
    MaxLength,
    Model,
    PoolingOption,
    Progress,
    SkipBlank,
    TextColumn,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from xembed.attribution import DepthExplanation, ShiftExplanation, ShiftTerm, SimilarityExplanation
    from xembed.shift import ShiftResult

_LIMIT = 20
_SHOWN = 5
_UNCHECKED = "Nobody checked whether words can be trusted as reasons in this corpus."
_TEXTS = "texts in .txt (one a line), .csv, .jsonl or .parquet"


class Target(Enum):
    """Targets of `xembed.attribution.explain_depth`."""

    nearest_similarity = "nearest_similarity"
    depth = "depth"


def explain(
    similarity: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Why are two texts similar? Give both as arguments, in quotes."),
    ] = None,
    depth: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Why are texts outliers of a corpus? A file: {_TEXTS}.")
    ] = None,
    shift: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="F G", help="Which words is a shift made of? The reference corpus and the other one."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="With --depth: the corpus. Default: the texts themselves, each left out of its own corpus."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="How words are found. Default: what did best where the truth was known.")
    ] = None,
    target: Annotated[
        Target | None,
        typer.Option(help="With --depth: similarity to the nearest texts (default), or depth in the whole corpus."),
    ] = None,
    trust: Annotated[
        bool | None,
        typer.Option(
            "--trust/--no-trust",
            help="With --depth: plant words in the corpus first, to see whether they are found. Default: yes.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help=f"With --depth: how many texts to explain, the least deep ones. Default: {_LIMIT}."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=2, help="Perturbed rows a text, for methods that draw.")] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help=f"Pairs of words, words or terms to print. Default: {_SHOWN}.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write a report, too; its numbers go to a .json beside it."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random step.")] = 0,
    text_column: TextColumn = None,
    skip_blank: SkipBlank = False,
    model: Model = None,
    layer: Layer = -1,
    pooling: PoolingOption = None,
    device: Device = "auto",
    max_length: MaxLength = None,
    batch_size: BatchSize = 32,
    cache: Cache = True,
    progress: Progress = None,
) -> None:
    """Which words make two texts similar, a text an outlier, a corpus drift? Give one of the first three options."""
    _check_usage(similarity, depth, shift, reference=reference, target=target, trust=trust, limit=limit)
    from xembed.reports import check_report_path

    if out is not None:
        check_report_path(out)
    encode = encoder_on_demand(model, layer, pooling.value if pooling else None, device, max_length, batch_size, cache)
    options: dict[str, Any] = {"rng": seed}
    options |= {name: value for name, value in (("method", method), ("n_samples", samples)) if value is not None}
    shown = _SHOWN if top is None else top
    result: Any = None
    if similarity is not None:
        result = _explain_similarity(similarity, encode, options, progress, shown)
    elif depth is not None:
        files = (depth, None if reference is None or _same(depth, reference) else reference)
        options |= {"trust": trust, "progress": progress}
        options |= {} if target is None else {"target": target.value}
        sources = [None if file is None else _read(file, text_column, skip_blank) for file in files]
        result = _explain_depth(files, sources, encode, options, limit or _LIMIT, shown)
    elif shift is not None:
        pair = [_read(file, text_column, skip_blank) for file in shift]
        result = _explain_shift(shift, pair, encode, options | {"progress": progress, "top": max(shown, 10)}, shown)
    if out is not None:
        signed(result).report(out)
        typer.echo(f"\nReport: {out}  (numbers: {out.with_suffix('.json')})")


def _check_usage(similarity: Any, depth: Any, shift: Any, **of_depth: Any) -> None:
    given = [value is not None for value in (similarity, depth, shift)]
    if sum(given) != 1:
        raise typer.BadParameter(
            "exactly one of --similarity A B, --depth FILE and --shift F G must be given. "
            f"Got {('none', '', 'two', 'all three')[sum(given)]}."
        )
    if depth is None:
        for name, value in of_depth.items():
            if value is not None:
                raise typer.BadParameter("goes with --depth only.", param_hint=f"--{name}")


def _same(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)


def _read(path: Path, text_column: str | None, skip_blank: bool) -> Any:
    source = read_source(path, text_column, skip_blank)
    if texts_of(source) is None:
        raise ValueError(f"{str(path)!r} holds embeddings, which have no words to explain. Give a file of texts.")
    return source


# ---- the three


def _explain_similarity(
    texts: tuple[str, str], encode: Encode, options: dict[str, Any], progress: bool | None, top: int
) -> SimilarityExplanation:
    from xembed._core.validation import check_option, check_texts
    from xembed.attribution import explain_similarity
    from xembed.attribution._render import words_text
    from xembed.attribution._word_vectors import METHODS

    check_texts(texts, name="--similarity")
    if "method" in options:
        check_option(options["method"], METHODS, name="method", caller="xembed explain --similarity")
    found = explain_similarity(_configured(encode, progress), *texts, **options)
    _say(f"Cosine {found.similarity:.3f}, by {found.label}")
    most = max(abs(float(value)) for value in (*found.values_a, *found.values_b))
    for name, words, values in (("A", found.words_a, found.values_a), ("B", found.words_b, found.values_b)):
        _say(f"\n{name}  ", words_text(words, values, most=most))
    _say(f"\n{'pair of words':<40}  adds to the cosine")
    for first, second, value in found.top(top):
        _say(f"{_clean(first, 18)} – {_clean(second, 18)}".ljust(40), f"  {value:+.3f}")
    if found.trust is not None:
        _say(f"\n{found.trust.verdict}")
    if found.rest is not None:
        rest = ", ".join(f"{name} {round(value, 3) + 0.0:+.3f}" for name, value in found.rest.items())
        _say(f"\nAll pairs {found.matrix.sum():+.3f}, {rest}; completeness error {found.completeness:.1e}")
    _say(found.what)
    _warn(found.notes)
    return found


def _explain_depth(
    files: tuple[Path, Path | None],
    sources: list[Any],
    encode: Encode,
    options: dict[str, Any],
    limit: int,
    top: int,
) -> DepthExplanation:
    import numpy as np

    from xembed.attribution import explain_depth
    from xembed.attribution._depth_words import UNCHECKED
    from xembed.attribution._methods import find_methods
    from xembed.attribution._render import words_text
    from xembed.depth import tte_depth

    if "method" in options:
        find_methods([options["method"]], caller="xembed explain --depth")
    texts, corpus = list(texts_of(sources[0]) or ()), None if sources[1] is None else list(texts_of(sources[1]) or ())
    if len(texts if corpus is None else corpus) < 2:
        raise ValueError(
            f"{str(files[1] or files[0])!r} must hold at least 2 texts: depth is taken in a corpus. Got one."
        )
    options["trust"], unchecked = _can_check(texts if corpus is None else corpus, options["trust"])
    encoder, settings = _configured(encode, options["progress"]), encode()[1:]
    X, notes, _ = embed_source(sources[0], lambda: (encoder, *settings), options["progress"], files[0].name)
    R = None
    if corpus is not None and files[1] is not None:
        R, more, _ = embed_source(sources[1], lambda: (encoder, *settings), options["progress"], files[1].name)
        notes += more
    chosen = np.argsort(tte_depth(X, R), kind="stable")[:limit]
    found = explain_depth(
        encoder,
        [texts[row] for row in chosen],
        texts if corpus is None else corpus,
        exclude=chosen.tolist() if corpus is None else None,
        **options,
    )
    name = one_line(files[0].name)
    said = f"The {len(chosen)} least deep of the {len(texts)} texts of {name} are explained."
    if len(chosen) < len(texts):
        notes.insert(0, said)
    _say(f"{said}\n{found.label}, {found.output.replace('_', ' ')}, in {found.n_reference} texts.")
    _say(f"\n{unchecked if found.trust is None else found.trust.verdict}")
    if found.signed:
        _say("+ pulls a text toward the corpus, − away from it.")
    for place, row in enumerate(chosen):
        _say(
            f"\nrow {row}  depth {found.depths[place]:.3f}, deeper than {100 * found.deeper_than[place]:.0f} % of the "
            f"corpus, similarity to the nearest {found.nearest_similarity[place]:.3f}"
        )
        _say("  ", words_text(found.words[place], found.values[place], signed=found.signed))
        listed = (f"{_clean(word)} {value:{'+' if found.signed else ''}.3f}" for word, value in found.top(place, top))
        _say(f"  words: {', '.join(listed)}")
        _say(f"  a typical text near it: {one_line(found.typical_texts[place], 80)}")
    _warn(
        [note for note in (*notes, *found.notes) if note not in (said, UNCHECKED, getattr(found.trust, "verdict", ""))]
    )
    return replace(found, notes=(*notes, *found.notes))


def _can_check(corpus: list[str], trust: bool | None) -> tuple[bool, str]:
    """Return whether words can be planted in a corpus, and what to say if they are not. Asked for, it has to be."""
    import numpy as np

    from xembed.attribution._planting import plant

    if trust is False:
        return False, f"{_UNCHECKED} Leave out --no-trust for a check."
    try:
        plant(
            corpus,
            None,
            n_texts=2,
            n_words=(2, 4),
            off_topic=None,
            rng=np.random.default_rng(0),
            caller="xembed explain --trust",
        )
    except ValueError as error:
        if trust:
            raise
        return False, f"{_UNCHECKED} {error}"
    return True, ""


def _explain_shift(
    files: tuple[Path, Path], sources: list[Any], encode: Encode, options: dict[str, Any], top: int
) -> ShiftExplanation:
    from xembed._core.validation import check_option
    from xembed.attribution import explain_shift
    from xembed.attribution._word_vectors import METHODS

    if "method" in options:
        check_option(options["method"], METHODS, name="method", caller="xembed explain --shift")
    texts = [list(texts_of(source) or ()) for source in sources]
    for file, of_file in zip(files, texts, strict=True):
        if len(of_file) < 2:
            raise ValueError(f"{str(file)!r} must hold at least 2 texts. Got one.")
    first, second = (file.stem for file in files)
    names = (first, second) if first != second else (f"{first} (F)", f"{second} (G)")
    encoder, settings = _configured(encode, options["progress"]), encode()[1:]
    notes = [
        note
        for source, file in zip(sources, files, strict=True)
        for note in embed_source(source, lambda: (encoder, *settings), options["progress"], file.name)[1]
    ]
    found = explain_shift(encoder, texts[0], texts[1], names=names, **options)
    _say(one_line(found.verdict, 2_000))
    for component in found.components:
        _say(
            f"\n{component.kind}: {one_line(component.label)}\n  size {component.size:.3f}; the same terms in other "
            f"company {component.context:+.3f}, no term {component.rest:+.3f}"
        )
        for what, terms in (("came", component.came), ("went", component.went)):
            if terms:
                _say(f"  {what}: ", _terms(terms[:top], found.fdr))
    _say(f"\n* more than chance explains, at a false discovery rate of {found.fdr:g}. {found.label}.")
    _warn((*notes, *found.notes))
    return replace(found, notes=(*notes, *found.notes))


def explain_result(
    result: ShiftResult, texts: Any, encode: Encode, progress: bool | None, seed: int
) -> ShiftExplanation:
    """Return the words of a shift that was found already, for `xembed shift --words`."""
    from xembed.attribution import explain_shift

    return signed(explain_shift(_configured(encode, progress), *texts, result=result, progress=progress, rng=seed))


def _configured(encode: Encode, progress: bool | None) -> Any:
    """Return the encoder so that batch size, cache and progress are kept wherever it is called."""
    from xembed.encoders import Encoder

    encoder, batch_size, cache = encode()

    class Configured(Encoder):
        def _encode(self, texts: Any, _size: int, shown: bool | None, cached: Any, *, caller: str) -> Any:
            shown = progress if shown is None else shown
            return super()._encode(texts, batch_size, shown, cached if cache else False, caller=caller)

    return Configured(encoder.model, name=encoder.name, revision=encoder.revision, normalize=encoder._normalize)


# ---- what a terminal shows


def _terms(terms: Sequence[ShiftTerm], fdr: float) -> str:
    return ", ".join(
        f"{_clean(term.term)} {term.contribution:+.4f}{'*' if term.qvalue <= fdr else ''}" for term in terms
    )


def _clean(word: str, length: int = 40) -> str:
    return one_line(word, length) or "�"


def _say(*parts: str | Text) -> None:
    """Print a line, in colors on a terminal; texts are no markup, and lines are left whole for pipes."""
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False).print(Text.assemble(*parts), soft_wrap=True)


def _warn(notes: Sequence[str]) -> None:
    for note in notes:
        typer.echo(f"xembed: warning: {one_line(note, 500)}", err=True)
