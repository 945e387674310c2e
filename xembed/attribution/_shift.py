"""Which words a shift between two corpora is made of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from xembed._core import validation
from xembed._core.directions import unit_rows
from xembed._core.fields import Cosine, Count, Interval, Level, NonNegative, Probability, Provenance, Sides
from xembed._core.progress import shows_steps, step
from xembed._core.provenance import provenance
from xembed._core.results import IntervalIn, NotCompared, Result, RowKey, UserText
from xembed._core.text import PARTED, blankless_note, is_bigram, terms_of
from xembed._core.validation import RNG, check_count, check_number, check_option, check_rng, check_texts, describe_rng
from xembed.attribution._method import MethodOptions
from xembed.attribution._methods import check_options
from xembed.attribution._trust import THRESHOLD, MethodTrust, planting_sentence, trust_by_planting
from xembed.attribution._word_vectors import LABELS, METHODS, word_vectors
from xembed.encoders import describe_encoder, encode_texts
from xembed.stats import benjamini_hochberg

if TYPE_CHECKING:
    import pandas as pd

    from xembed.shift import RegionsResult, ShiftResult

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_COMPARED = 10  # first terms that are compared with those of term frequency
_EXAMPLES = 3


@dataclass(frozen=True, repr=False)
class ShiftTerm(Result):
    """A word, and what it adds to a component of a shift.

    Attributes
    ----------
    term : str
        In lower case.
    contribution : float
        Contribution to the component, in the unit of the component's size.
    interval : tuple of float, (2,)
        95 % interval over texts, by the approximate error of the product of share and value. It is wider than the tests
        are strict: a term may be significant and its interval hold 0.
    pvalue, qvalue : float
        p-value of no contribution (two-sided, over texts), and adjusted for all terms of the component
        (Benjamini-Hochberg).
    count_F, count_G : int
        Explained texts that hold the term.
    """

    schema: ClassVar[str] = "xembed.attribution.ShiftTerm/1"

    term: Annotated[str, RowKey, UserText]
    contribution: Annotated[float, IntervalIn("interval")]
    interval: Interval
    pvalue: Probability
    qvalue: Probability
    count_F: Count
    count_G: Count


@dataclass(frozen=True, repr=False)
class ShiftExample(Result):
    """A text that was explained, with what its words add along one component.

    Attributes
    ----------
    corpus : str
        Name of its corpus.
    row : int
        Row in that corpus.
    component : int
        Place in ``components``: the changed region that the text lies in, otherwise the location.
    along : float
        Coordinate along the component, from the mean of the texts outside it.
    words : tuple of str
        Words of the text.
    values : tuple of float
        Contribution of each word to ``along``.
    """

    schema: ClassVar[str] = "xembed.attribution.ShiftExample/1"

    corpus: Annotated[str, UserText]
    row: Annotated[Count, RowKey]
    component: Count
    along: float
    words: Annotated[tuple[str, ...], UserText]
    values: Annotated[tuple[float, ...], Sides("words")]


@dataclass(frozen=True, repr=False)
class ShiftComponent(Result):
    """One way in which the corpora moved apart.

    Attributes
    ----------
    kind : {'location', 'new', 'more', 'vanished', 'less'}
        The difference of the centers, or a region that changed (see `xembed.shift.what_shifted`).
    label : str
        Name of the component.
    size : float
        Length of the difference of the mean directions of F and G, or of a region and all other texts. The
        contributions of all terms, ``context`` and ``rest`` add up to it.
    context : float
        Contribution of terms in other contexts: the change of what a term adds, at the same frequency.
    rest : float
        Residual: rare words, punctuation, special tokens, the reference.
    came, went : tuple of ShiftTerm
        Gained and lost terms: those that contribute by being in more of the texts that moved (of G, or of the region),
        and by being in fewer of them; largest contribution first.
    n_terms, n_significant : int
        Terms that were tested, and those with ``qvalue <= fdr``.
    examples : tuple of ShiftExample
        Texts farthest along it.
    """

    schema: ClassVar[str] = "xembed.attribution.ShiftComponent/1"

    kind: Annotated[str, RowKey]
    label: Annotated[str, RowKey, UserText]
    size: NonNegative
    context: float
    rest: float
    came: tuple[ShiftTerm, ...]
    went: tuple[ShiftTerm, ...]
    n_terms: Count
    n_significant: Count
    examples: Annotated[tuple[ShiftExample, ...], NotCompared]


@dataclass(frozen=True, repr=False)
class ShiftExplanation(Result):
    """Result of `explain_shift`.

    Attributes
    ----------
    verdict : str
        Findings, in plain words.
    components : tuple of ShiftComponent
        The location first, then regions that changed, strongest evidence first.
    texts : tuple of ShiftExample
        Every explained text, those of F first.
    trust : MethodTrust or None
        Validation of the method: how well it finds the words of a shift that was made by planting words in the same
        texts. None where it was not asked for or is not possible.
    trusted : bool or None
        Whether the lower end of its interval is at least .8.
    agreement : float or None
        Share of the first ten gained terms that are also significant by term frequency, or among the first ten by it
        where fewer are (`xembed.shift.distinguishing_terms`).
    by_counts_F, by_counts_G : tuple of str
        The first ten terms by term frequency.
    names : tuple of str, (2,)
        Names of F and G.
    n_F, n_G : int
        Numbers of explained texts.
    fdr : float
        False discovery rate.
    method, label : str
        Method, and its name in tables.
    notes : tuple of str
        Caveats.
    seconds : float
        Time taken.
    encoder, provenance : dict
        Description of the encoder; function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.attribution.ShiftExplanation/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.corpora:shift"

    verdict: str
    components: tuple[ShiftComponent, ...]
    texts: tuple[ShiftExample, ...]
    trust: MethodTrust | None
    trusted: bool | None
    agreement: Cosine | None
    by_counts_F: Annotated[tuple[str, ...], UserText]
    by_counts_G: Annotated[tuple[str, ...], UserText]
    names: Annotated[tuple[str, str], UserText]
    n_F: Count
    n_G: Count
    fdr: Level
    method: str
    label: str
    notes: tuple[str, ...]
    seconds: NonNegative
    encoder: dict[str, Any]
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each component and term."""
        import pandas as pd

        columns = ["component", "kind", "term", "contribution", "low", "high", "qvalue", "count_F", "count_G"]
        rows = [
            (of.label, of.kind, term.term, term.contribution, *term.interval, term.qvalue, term.count_F, term.count_G)
            for of in self.components
            for term in (*of.came, *of.went)
        ]
        return pd.DataFrame(rows, columns=columns)


@shows_steps
def explain_shift(
    encoder: Any,
    texts_F: Sequence[str],
    texts_G: Sequence[str],
    *,
    result: ShiftResult | None = None,
    method: str = "last_layer",
    top: int = 10,
    min_count: int = 3,
    fdr: float = 0.05,
    max_texts: int = 500,
    names: tuple[str, str] = ("F", "G"),
    trust: bool = True,
    n_samples: int = 100,
    progress: bool | None = None,
    rng: RNG = None,
) -> ShiftExplanation:
    r"""Explain a shift between two corpora by words, in embedding space.

    Term frequencies say which words became more frequent. This says which of them moved the embeddings, and by how
    much: a word that is new but means what others meant moves nothing.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        For an object of your own, 'leave_one_out' and 'shapley' are possible.
    texts_F, texts_G : sequence of str
        The corpora; F is the reference.
    result : ShiftResult, optional
        Result of `xembed.shift.compare_corpora` for the same texts in the same order. By default changed regions are
        found here.
    method : {'last_layer', 'shapley', 'leave_one_out', 'integrated_jacobian'}, default='last_layer'
        Decomposition of embeddings into words, as in `explain_similarity`.
    top : int, default=10
        Largest number of gained and of lost terms of a component.
    min_count : int, default=3
        Fewest texts of a term.
    fdr : float in (0, 1), default=0.05
        False discovery rate over the terms of a component.
    max_texts : int, default=500
        Largest number of explained texts of each corpus, a random sample where there are more.
    names : pair of str, default=('F', 'G')
        Names of F and G.
    trust : bool, default=True
        Whether to validate the method by a shift of planted words in at most 40 of the texts: the AUC of what planted
        words add along the shift against what the other words of the text add.
    n_samples : int, default=100
        Perturbed texts for each text in 'shapley'.
    progress : bool, optional
        Whether to show a progress bar on stderr. By default only if that is a terminal.
    rng : int, numpy.random.Generator or None, default=None
        Random state of samples, planted words, and the orders of 'shapley'. None is seed 0.

    Returns
    -------
    ShiftExplanation
        The ``components`` with their terms, the words of every explained text, and ``report(path)``.

    Raises
    ------
    ValueError
        If a corpus holds fewer than 2 texts, ``result`` is of other texts, or an option is unknown.
    TypeError
        If a text is not a string, or ``trust`` is neither True nor False.

    Notes
    -----
    With :math:`u` the unit direction from the mean of F to that of G and :math:`m_w(x)` the vector of word :math:`w` in
    text :math:`x`, the distance of the means is the difference of the means of :math:`\sum_w m_w(x) \cdot u`. It is
    decomposed by terms [1]_: a term in a share :math:`p_G` of the texts of G, where it adds :math:`e_G` on average,
    contributes :math:`(p_G - p_F)(e_G + e_F)/2` by its frequency; :math:`(p_G + p_F)/2 \cdot (e_G - e_F)` is
    ``context``. A changed region is explained in the same way, against all other texts. A term is significant if both
    its share differs (exact test) and its value is not zero (t test over texts). Texts are taken as independent.

    References
    ----------
    .. [1] E. M. Kitagawa. "Components of a Difference Between Two Rates". Journal of the American Statistical
           Association 50 (1955), 1168-1194.

    Examples
    --------
    >>> import xembed
    >>> from xembed.attribution import explain_shift
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> before = ["The router is slow.", "My line is slow today.", "Slow wifi upstairs.", "The bill is wrong."] * 5
    >>> after = ["Is this text a scam?", "A scam call again.", "Another scam message.", "The bill is wrong."] * 5
    >>> found = explain_shift(encoder, before, after)
    >>> found.components[0].came[0].term
    'scam'
    """
    caller = "explain_shift"
    corpora = tuple(
        check_texts(texts, name=name, min_texts=2) for name, texts in (("texts_F", texts_F), ("texts_G", texts_G))
    )
    check_option(method, METHODS, name="method", caller=caller)
    top = check_count(top, name="top", caller=caller)
    min_count = check_count(min_count, name="min_count", caller=caller)
    fdr = check_number(fdr, name="fdr", caller=caller, low=0, high=1, closed="neither")
    most = check_count(max_texts, name="max_texts", caller=caller, low=2)
    both = validation.check_names(names, caller=caller) if result is None else (result.names[0], result.names[1])
    if not isinstance(trust, bool):
        raise TypeError(f"The 'trust' parameter of {caller} must be True or False. Got {type(trust).__name__} instead.")
    generator = check_rng(rng, caller=caller)
    options = check_options(n_samples=n_samples, rng=generator, caller=caller)
    began = time.monotonic()
    encodings = [encode_texts(encoder, texts) for texts in corpora]
    units = [unit_rows(encoding.embeddings) for encoding in encodings]
    parts = _parts(units, _find_regions(result, units, corpora, both, caller))
    sizes = [len(texts) for texts in corpora]
    kept = [np.sort(generator.choice(size, size=min(most, size), replace=False)) for size in sizes]
    sample = _explain_sample(encoder, corpora, units, parts, kept, both, method, options, caller)
    components = tuple(
        _explain_component(sample, number, part, top, min_count, fdr) for number, part in enumerate(parts)
    )
    agreement, frequent = _agreement(components[0], corpora, both)
    notes = [warning for name, encoding in zip(both, encodings, strict=True) for warning in encoding.warnings(name)]
    notes += blankless_note([*corpora[0], *corpora[1]])
    notes += [
        f"A random sample of {most:,} texts of “{name}” was explained."
        for name, size in zip(both, sizes, strict=True)
        if size > most
    ]
    planted = None
    if trust:
        try:
            texts = [*corpora[0], *corpora[1]]
            planted = trust_by_planting(
                encoder, texts, method=method, options=options, rng=generator.spawn(1)[0], caller=caller
            )
        except ValueError as error:  # too few texts, or all words occur in them
            notes.append(f"The explanation was not validated: {error}")
    else:
        notes.append("The explanation was not validated on these texts: trust=True does.")
    return ShiftExplanation(
        verdict=_verdict(components, both, agreement, fdr, planted),
        components=components,
        texts=tuple(_example(sample, place, sample.own_component(place)) for place in range(len(sample.words))),
        trust=planted,
        trusted=None if planted is None else planted.interval[0] >= THRESHOLD,
        agreement=agreement,
        by_counts_F=frequent[0],
        by_counts_G=frequent[1],
        names=both,
        n_F=len(kept[0]),
        n_G=len(kept[1]),
        fdr=fdr,
        method=method,
        label=LABELS[method],
        notes=tuple(notes),
        seconds=time.monotonic() - began,
        encoder=describe_encoder(encoder),
        provenance=provenance(
            caller,
            method=method,
            top=top,
            min_count=min_count,
            fdr=fdr,
            max_texts=max_texts,
            trust=trust,
            n_samples=n_samples,
            result=result is not None,
            rng=describe_rng(rng),
        ),
    )


def _find_regions(
    result: ShiftResult | None, units: list[Floats], texts: tuple[list[str], ...], names: Any, caller: str
) -> RegionsResult | None:
    from xembed.shift import what_shifted

    if result is None:
        enough = min(len(rows) for rows in units) >= 4
        return what_shifted(units[0], units[1], texts=(texts[0], texts[1]), names=names) if enough else None
    sizes = (len(result.depths) - result.test.n_G, result.test.n_G)
    of_texts = (result.texts_F, result.texts_G)
    if sizes != (len(texts[0]), len(texts[1])) or any(
        given is not None and tuple(given) != tuple(own) for given, own in zip(of_texts, texts, strict=True)
    ):
        raise ValueError(
            f"The 'result' parameter of {caller} must be of the same texts in the same order. Got one of {sizes[0]} "
            f"and {sizes[1]} texts, and {len(texts[0])} and {len(texts[1])} texts to explain."
        )
    return result.regions


class _Part(NamedTuple):
    """A component before it is explained: a unit direction, and which of all texts stand against the others."""

    kind: str
    label: str
    direction: Floats
    inside: Bools


def _parts(units: list[Floats], regions: RegionsResult | None) -> list[_Part]:
    rows = np.concatenate(units)
    members = [("location", "the center", np.repeat([False, True], [len(unit) for unit in units]))]
    if regions is not None:
        members += [
            (region.status, region.label, regions.membership == region.id)
            for region in regions.regions
            if region.status != "unchanged"
        ]
    parts = []
    for kind, label, inside in members:
        difference = rows[inside].mean(axis=0) - rows[~inside].mean(axis=0)
        length = np.linalg.norm(difference)
        parts.append(_Part(kind, label, difference / length if length > 0 else difference, inside))
    return parts


@dataclass(frozen=True)
class _Sample:
    """The explained texts.

    ``values`` are (n_words, n_parts) for each text, ``along`` and ``inside`` (n_texts, n_parts): coordinates along the
    directions, and membership in the components. ``numbers`` are those of the term of each word, -1 for words that are
    none; ``held``, (n_texts, n_terms): which text holds which term.
    """

    words: list[tuple[str, ...]]
    values: list[Floats]
    along: Floats
    inside: Bools
    is_G: Bools
    rows: Ints
    names: tuple[str, str]
    terms: list[str]
    numbers: list[Ints]
    held: Bools

    def term_sums(self, number: int) -> Floats:
        """Return the sum of the values of each term in each text along one direction, (n_texts, n_terms)."""
        sums = np.zeros(self.held.shape)
        for row, (numbers, values) in enumerate(zip(self.numbers, self.values, strict=True)):
            np.add.at(sums[row], numbers[numbers >= 0], values[numbers >= 0, number])
        return sums

    def own_component(self, place: int) -> int:
        """Return the changed region that a text lies in, or 0, the location."""
        regions = np.flatnonzero(self.inside[place, 1:])
        return int(regions[-1]) + 1 if len(regions) else 0


def _explain_sample(
    encoder: Any,
    corpora: tuple[list[str], ...],
    units: list[Floats],
    parts: list[_Part],
    kept: list[Ints],
    names: tuple[str, str],
    method: str,
    options: MethodOptions,
    caller: str,
) -> _Sample:
    directions = np.stack([part.direction for part in parts], axis=1)
    texts = [corpus[row] for corpus, rows in zip(corpora, kept, strict=True) for row in rows]
    vectors = word_vectors(encoder, texts, method=method, options=options, caller=caller)
    words, values = [], []
    with step(LABELS[method], len(texts), "text") as advance:
        for of_text in vectors:
            words.append(of_text.words)
            values.append(of_text.vectors @ directions)
            advance(1)
    known: dict[str, int] = {}
    numbers = [_number_terms(of_text, known) for of_text in words]
    held = np.zeros((len(words), len(known)), dtype=bool)
    for row, of_row in enumerate(numbers):
        held[row, of_row[of_row >= 0]] = True
    places = np.concatenate([kept[0], len(units[0]) + kept[1]])
    return _Sample(
        words=words,
        values=values,
        along=np.concatenate(units)[places] @ directions,
        inside=np.stack([part.inside for part in parts], axis=1)[places],
        is_G=np.repeat([False, True], [len(rows) for rows in kept]),
        rows=np.concatenate(kept),
        names=names,
        terms=list(known),
        numbers=numbers,
        held=held,
    )


def _number_terms(words: Sequence[str], known: dict[str, int]) -> Ints:
    """Return the number of the term of each word, -1 for words that are none; new terms are added to ``known``."""
    terms = [next(iter(terms_of(word.translate(PARTED), bigrams=False)), None) for word in words]
    return np.array([-1 if term is None else known.setdefault(term, len(known)) for term in terms], np.int64)


def _example(sample: _Sample, place: int, number: int) -> ShiftExample:
    along, inside = sample.along[:, number], sample.inside[:, number]
    return ShiftExample(
        corpus=sample.names[int(sample.is_G[place])],
        row=int(sample.rows[place]),
        component=number,
        along=float(along[place] - along[~inside].mean()),
        words=sample.words[place],
        values=tuple(sample.values[place][:, number].tolist()),
    )


def _explain_component(
    sample: _Sample, number: int, part: _Part, top: int, min_count: int, fdr: float
) -> ShiftComponent:
    along, inside = sample.along[:, number], sample.inside[:, number]
    size = float(along[inside].mean() - along[~inside].mean())
    frequent = np.flatnonzero(sample.held.sum(axis=0) >= min_count)
    effects = _term_effects(sample.term_sums(number), sample.held, inside, frequent)

    def term(i: int) -> ShiftTerm:
        of_G = sample.is_G[sample.held[:, frequent[i]]]
        return ShiftTerm(
            term=sample.terms[int(frequent[i])],
            contribution=float(effects.contribution[i]),
            interval=(float(effects.low[i]), float(effects.high[i])),
            pvalue=float(effects.pvalues[i]),
            qvalue=float(effects.qvalues[i]),
            count_F=int((~of_G).sum()),
            count_G=int(of_G.sum()),
        )

    order = np.argsort(-effects.contribution, kind="stable")
    positive = [int(i) for i in order if effects.contribution[i] > 0]
    farthest = np.flatnonzero(inside)[np.argsort(-along[inside], kind="stable")][:_EXAMPLES]
    return ShiftComponent(
        kind=part.kind,
        label=part.label,
        size=size,
        context=effects.context,
        rest=size - float(effects.contribution.sum()) - effects.context,
        came=tuple([term(i) for i in positive if effects.more[i]][:top]),
        went=tuple([term(i) for i in positive if not effects.more[i]][:top]),
        n_terms=len(frequent),
        n_significant=int((effects.qvalues <= fdr).sum()),
        examples=tuple(_example(sample, int(place), number) for place in farthest),
    )


def _agreement(
    location: ShiftComponent, corpora: tuple[list[str], ...], names: tuple[str, str]
) -> tuple[float | None, list[tuple[str, ...]]]:
    """Return the share of the first gained terms that term frequency gives, too, and its first terms of both sides."""
    from xembed.shift import distinguishing_terms

    frequencies = distinguishing_terms(*corpora, top=200, names=names)
    sides = [
        [term for term in terms if " " not in term.term] for terms in (frequencies.more_in_F, frequencies.more_in_G)
    ]
    firsts = [tuple(term.term for term in side[:_COMPARED]) for side in sides]
    significant = {term.term for term in sides[1] if term.qvalue <= frequencies.fdr}
    against = significant if len(significant) >= _COMPARED else {*firsts[1]}
    # Words of scripts without blanks are those of the tokenizer here, and pairs of characters there.
    gained = [term.term for term in location.came[:_COMPARED] if not is_bigram(term.term)]
    return (float(np.mean([term in against for term in gained])) if gained and against else None), firsts


def _verdict(
    components: tuple[ShiftComponent, ...], names: Any, agreement: float | None, fdr: float, planted: MethodTrust | None
) -> str:
    location = components[0]

    def listed(terms: tuple[ShiftTerm, ...]) -> str:
        return ", ".join(f"“{term.term}”" for term in [term for term in terms if term.qvalue <= fdr][:5])

    sentences = [
        f"The center of “{names[1]}” lies {location.size:.3f} from that of “{names[0]}”; "
        f"{location.n_significant} of {location.n_terms} terms contribute significantly."
    ]
    for side, moved in (("Gained", location.came), ("Lost", location.went)):
        if listed(moved):
            sentences.append(f"{side} terms: {listed(moved)}.")
    sentences += [
        f"A region that is {component.kind}: {terms}."
        for component in components[1:4]
        if (terms := listed(component.came))
    ]
    if agreement is not None:
        sentences.append(f"{agreement:.0%} of the first gained terms also differ in term frequency.")
    if planted is not None:
        sentences.append(planting_sentence(planted))
    return " ".join(sentences)


class _TermEffects(NamedTuple):
    """Contributions of terms by their frequency, with intervals and tests, and what the rest of their change is."""

    contribution: Floats
    low: Floats
    high: Floats
    pvalues: Floats
    qvalues: Floats
    more: Bools
    context: float


def _term_effects(of_terms: Floats, held: Bools, inside: Bools, frequent: Ints) -> _TermEffects:
    """Decompose the difference of the mean values of terms, by Kitagawa, into frequency and value.

    With the share p of texts that hold a term and its mean value e where it is held, p1 e1 - p0 e0 is
    (p1 - p0) (e1 + e0) / 2, the term's frequency, plus (p1 + p0) / 2 (e1 - e0), the same term in other contexts.
    """
    from scipy import stats

    from xembed.shift._terms import share_pvalues

    sizes = np.array([inside.sum(), (~inside).sum()])
    counts = np.stack([held[mask].sum(axis=0) for mask in (inside, ~inside)])
    sums = np.stack([of_terms[mask].sum(axis=0) for mask in (inside, ~inside)])
    shares = counts / sizes[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        effects = sums / counts
    effects = np.where(counts > 0, effects, effects[::-1])  # where one side has none, the other's
    context = float(((shares[0] + shares[1]) / 2 * (effects[0] - effects[1]))[frequent].sum())
    difference, effect = (shares[0] - shares[1])[frequent], effects.mean(axis=0)[frequent]

    # The error of a product of two estimates that are about independent.
    variances = np.zeros((2, len(frequent)))
    n_held = np.maximum(counts[:, frequent], 1)
    for side, mask in enumerate((inside, ~inside)):
        chosen, values = held[mask][:, frequent], of_terms[mask][:, frequent]
        around = np.where(chosen, values - effects[side, frequent], 0.0)
        variances[side] = (around**2).sum(axis=0) / np.maximum(n_held[side] - 1, 1) / n_held[side]
    both = (counts[:, frequent] > 0).sum(axis=0)
    of_effect = np.sqrt(variances.sum(axis=0)) / np.maximum(both, 1)
    p = shares[:, frequent]
    of_difference = np.sqrt((p * (1 - p) / sizes[:, None]).sum(axis=0))
    error = np.sqrt((difference * of_effect) ** 2 + (effect * of_difference) ** 2)
    freedom = np.maximum(counts[:, frequent].sum(axis=0) - both, 1)
    half = stats.t.ppf(0.975, freedom) * error
    # Both have to differ from nothing: the share of texts, and what the term adds where it is.
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(of_effect > 0, np.abs(effect) / of_effect, 0.0)
    p_effect = 2 * stats.t.sf(t, freedom)
    p_share = share_pvalues(counts[0, frequent], counts[1, frequent], int(sizes[0]), int(sizes[1]))
    pvalues = np.clip(np.maximum(p_effect, p_share), 0.0, 1.0)
    contribution, qvalues = difference * effect, benjamini_hochberg(pvalues)
    low, high = contribution - half, contribution + half
    return _TermEffects(contribution, low, high, pvalues, qvalues, difference > 0, context)
