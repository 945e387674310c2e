"""Which words a shift between two corpora is made of."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed._core.directions import unit_rows
from xembed._core.provenance import provenance
from xembed._core.validation import (
    RNG,
    check_count,
    check_names,
    check_number,
    check_option,
    check_rng,
    check_texts,
    describe_rng,
    shows_progress,
)
from xembed.attribution._explanation_trust import THRESHOLD, planting_sentence, trust_by_planting
from xembed.attribution._method import MethodOptions
from xembed.attribution._shift_effects import term_effects
from xembed.attribution._shift_explanation import ShiftComponent, ShiftExample, ShiftExplanation, ShiftTerm
from xembed.attribution._word_vectors import LABELS, METHODS, word_vectors
from xembed.encoders import describe_encoder, encode_texts

if TYPE_CHECKING:
    from xembed.shift import RegionsResult, ShiftResult

Floats = npt.NDArray[np.float64]

_TERM = re.compile(r"\w\w+")
_COMPARED = 10
_EXAMPLES = 3


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
    r"""Say which words a shift between two corpora is made of, in embedding space.

    Term counts say which words became more frequent. This says which of them moved the embeddings, and by how much: a
    word that is new but means what others meant moves nothing.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        For an object of your own, 'leave_one_out' and 'shapley' are possible.
    texts_F, texts_G : sequence of str
        The texts; F is the reference corpus.
    result : ShiftResult, optional
        What `xembed.shift.compare_corpora` gave for the same texts in the same order. By default the regions are looked
        for here.
    method : {'last_layer', 'shapley', 'leave_one_out', 'integrated_jacobian'}, default='last_layer'
        What each word adds to the embedding, as in `explain_similarity`.
    top : int, default=10
        How many terms to return on each side.
    min_count : int, default=3
        Terms in fewer texts are left out.
    fdr : float in (0, 1), default=0.05
        False discovery rate over the terms of a component.
    max_texts : int, default=500
        Texts of each corpus that are explained, a random sample where there are more.
    names : pair of str, default=('F', 'G')
        What F and G are called.
    trust : bool, default=True
        Whether to make a shift of planted words in at most 40 of the texts, and to measure how well the method finds
        them: the chance that what a planted word adds along the shift is more than what a word of the text adds.
    n_samples : int, default=100
        Rows for each text of 'shapley'.
    progress : bool, optional
        Show a progress bar on stderr. By default only if that is a terminal.
    rng : int, numpy.random.Generator or None, default=None
        For samples, and the orders of 'shapley'. None is seed 0.

    Returns
    -------
    ShiftExplanation
        With the ``components``, each with its terms, the words of every text that was explained, and ``report(path)``.

    Raises
    ------
    ValueError
        If a corpus holds fewer than 2 texts, ``result`` is of other texts, or an option is unknown.
    TypeError
        If a text is not a string, or ``trust`` is neither True nor False.

    Notes
    -----
    With :math:`u` the unit direction from the mean of F to that of G and :math:`m_w(x)` what word :math:`w` adds to the
    embedding of :math:`x`, the distance of the means is the difference of the means of :math:`\sum_w m_w(x) \cdot u`.
    For each term that is taken apart [1]_: a term in a share :math:`p_G` of the texts of G, where it adds :math:`e_G`
    on average, contributes :math:`(p_G - p_F)(e_G + e_F)/2` by coming or going; the rest of its difference,
    :math:`(p_G + p_F)/2 \cdot (e_G - e_F)`, is ``context``. A region that changed is explained in the same way: its
    texts against all others.

    A term is significant if both its share differs (exact test) and what it adds is not zero (t test over texts); its
    p-value is the larger one. Texts are taken as independent.

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
    first = check_texts(texts_F, name="texts_F", min_texts=2)
    second = check_texts(texts_G, name="texts_G", min_texts=2)
    check_option(method, METHODS, name="method", caller=caller)
    top = check_count(top, name="top", caller=caller)
    min_count = check_count(min_count, name="min_count", caller=caller)
    fdr = check_number(fdr, name="fdr", caller=caller, low=0, high=1, closed="neither")
    most = check_count(max_texts, name="max_texts", caller=caller, low=2)
    both = check_names(names, caller=caller) if result is None else (result.names[0], result.names[1])
    if not isinstance(trust, bool):
        raise TypeError(f"The 'trust' parameter of {caller} must be True or False. Got {type(trust).__name__} instead.")
    show = shows_progress(progress, caller=caller)
    generator = check_rng(rng, caller=caller)
    options = MethodOptions(
        deletion="delete",
        n_samples=check_count(n_samples, name="n_samples", caller=caller, low=2),
        seed=int(generator.integers(2**63)),
    )
    began = time.monotonic()
    units = [unit_rows(encode_texts(encoder, texts).embeddings) for texts in (first, second)]
    regions = _find_regions(result, units, (first, second), both, caller)
    is_G = np.repeat([False, True], [len(first), len(second)])
    kept = np.concatenate(
        [
            start + np.sort(generator.choice(len(texts), size=min(most, len(texts)), replace=False))
            for start, texts in ((0, first), (len(first), second))
        ]
    )
    kinds, labels, directions, members = _components(units, regions, is_G)
    every = [*first, *second]
    words, values = _project(encoder, [every[place] for place in kept], directions, method, options, show, caller)
    explained = _Explained.of(words, is_G[kept], np.where(is_G[kept], kept - len(first), kept))
    along = np.concatenate(units)[kept] @ directions
    components = tuple(
        _explain_component(
            number,
            kind,
            label,
            explained,
            [of_text[:, number] for of_text in values],
            along[:, number],
            members[number][kept],
            names=both,
            top=top,
            min_count=min_count,
            fdr=fdr,
        )
        for number, (kind, label) in enumerate(zip(kinds, labels, strict=True))
    )
    agreement, counted = _agreement(components[0], first, second, both)
    notes = [
        f"A random sample of {most:,} texts of “{name}” was explained."
        for name, texts in zip(both, (first, second), strict=True)
        if len(texts) > most
    ]
    checked, said = None, ""
    if trust:
        try:
            checked = trust_by_planting(
                encoder, every, method=method, options=options, rng=generator.spawn(1)[0], caller=caller
            )
            said = planting_sentence(checked)
        except ValueError as error:  # too few texts, or all words occur in them
            notes.append(f"Whether words can be trusted as reasons was not checked: {error}")
    else:
        notes.append("Whether words can be trusted as reasons was not checked: trust=True does.")
    return ShiftExplanation(
        verdict=" ".join(filter(None, [_verdict(components, both, agreement, fdr), said])),
        components=components,
        texts=tuple(
            _example(explained, place, number, values[place][:, number], along[:, number], members[number][kept], both)
            for place, number in enumerate(_own_component(members, kept))
        ),
        trust=checked,
        trusted=None if checked is None else checked.interval[0] >= THRESHOLD,
        agreement=agreement,
        by_counts_F=counted[0],
        by_counts_G=counted[1],
        names=both,
        n_F=int((~is_G[kept]).sum()),
        n_G=int(is_G[kept].sum()),
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
    result: ShiftResult | None, units: list[Floats], texts: tuple[list[str], list[str]], names: Any, caller: str
) -> RegionsResult | None:
    from xembed.shift import what_shifted

    if result is None:
        enough = min(len(rows) for rows in units) >= 4
        return what_shifted(units[0], units[1], texts=texts, names=names) if enough else None
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


def _components(
    units: list[Floats], regions: RegionsResult | None, is_G: npt.NDArray[np.bool_]
) -> tuple[list[str], list[str], Floats, list[npt.NDArray[np.bool_]]]:
    """Return kinds, labels, unit directions as columns, and which texts stand against all others."""
    rows = np.concatenate(units)
    kinds, labels, members = ["location"], ["the center"], [is_G]
    if regions is not None:
        changed = [region for region in regions.regions if region.status != "unchanged"]
        kinds += [region.status for region in changed]
        labels += [region.label for region in changed]
        members += [regions.membership == region.id for region in changed]
    directions = []
    for inside in members:
        difference = rows[inside].mean(axis=0) - rows[~inside].mean(axis=0)
        length = np.linalg.norm(difference)
        directions.append(difference / length if length > 0 else difference)
    return kinds, labels, np.stack(directions, axis=1), members


def _project(
    encoder: Any,
    texts: list[str],
    directions: Floats,
    method: str,
    options: MethodOptions,
    show: bool,
    caller: str,
) -> tuple[list[tuple[str, ...]], list[Floats]]:
    """Return the words of each text, and what each adds along each direction: (n_words, n_directions)."""
    from tqdm import tqdm

    words: list[tuple[str, ...]] = []
    values: list[Floats] = []
    vectors = word_vectors(encoder, texts, method=method, options=options, caller=caller)
    for found in tqdm(vectors, total=len(texts), desc=LABELS[method], unit="text", disable=not show):
        words.append(found.words)
        values.append(found.vectors @ directions)
    return words, values


@dataclass(frozen=True)
class _Explained:
    """The texts that were explained.

    Attributes
    ----------
    words : list of tuple of str
        Of each text.
    terms : list of str
        All different terms.
    numbers : list of ndarray of shape (n_words,), int64
        For each text the number of the term of each word; -1 for words that are none.
    held : ndarray of shape (n_texts, n_terms), bool
        Which text holds which term.
    is_G : ndarray of shape (n_texts,), bool
        Which corpus each text is of.
    rows : ndarray of shape (n_texts,), int64
        Its row there.
    """

    words: list[tuple[str, ...]]
    terms: list[str]
    numbers: list[npt.NDArray[np.int64]]
    held: npt.NDArray[np.bool_]
    is_G: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, words: list[tuple[str, ...]], is_G: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]) -> _Explained:
        """Find the terms of the words and number them."""
        known: dict[str, int] = {}
        numbers = []
        for of_text in words:
            lowered = [match.group() if (match := _TERM.search(word.lower())) else None for word in of_text]
            numbers.append(
                np.array([-1 if word is None else known.setdefault(word, len(known)) for word in lowered], np.int64)
            )
        held = np.zeros((len(words), len(known)), dtype=bool)
        for row, of_row in enumerate(numbers):
            held[row, of_row[of_row >= 0]] = True
        return cls(words, list(known), numbers, held, is_G, rows)

    def sums(self, values: list[Floats]) -> Floats:
        """Return what the mentions of each term add in each text, (n_texts, n_terms)."""
        found = np.zeros(self.held.shape)
        for row, (numbers, of_words) in enumerate(zip(self.numbers, values, strict=True)):
            np.add.at(found[row], numbers[numbers >= 0], of_words[numbers >= 0])
        return found


def _own_component(members: list[npt.NDArray[np.bool_]], kept: npt.NDArray[np.int64]) -> list[int]:
    """Return for each text that was explained the region that it lies in, or 0, the location."""
    own = np.zeros(len(kept), dtype=int)
    for number, inside in enumerate(members[1:], start=1):
        own[inside[kept]] = number
    return own.tolist()


def _example(
    texts: _Explained,
    place: int,
    number: int,
    values: Floats,
    along: Floats,
    inside: npt.NDArray[np.bool_],
    names: tuple[str, str],
) -> ShiftExample:
    return ShiftExample(
        corpus=names[int(texts.is_G[place])],
        row=int(texts.rows[place]),
        component=number,
        along=float(along[place] - along[~inside].mean()),
        words=texts.words[place],
        values=tuple(values.tolist()),
    )


def _explain_component(
    number: int,
    kind: str,
    label: str,
    texts: _Explained,
    values: list[Floats],
    along: Floats,
    inside: npt.NDArray[np.bool_],
    *,
    names: tuple[str, str],
    top: int,
    min_count: int,
    fdr: float,
) -> ShiftComponent:
    size = float(along[inside].mean() - along[~inside].mean())
    frequent = np.flatnonzero(texts.held.sum(axis=0) >= min_count)
    found = term_effects(texts.sums(values), texts.held, inside, frequent)

    def term(i: int) -> ShiftTerm:
        holds = texts.held[:, frequent[i]]
        return ShiftTerm(
            term=texts.terms[int(frequent[i])],
            contribution=float(found.contribution[i]),
            interval=(float(found.low[i]), float(found.high[i])),
            pvalue=float(found.pvalues[i]),
            qvalue=float(found.qvalues[i]),
            count_F=int((holds & ~texts.is_G).sum()),
            count_G=int((holds & texts.is_G).sum()),
        )

    order = np.argsort(-found.contribution, kind="stable")
    helps = [int(i) for i in order if found.contribution[i] > 0]
    farthest = np.flatnonzero(inside)[np.argsort(-along[inside], kind="stable")][:_EXAMPLES]
    return ShiftComponent(
        kind=kind,
        label=label,
        size=size,
        context=found.context,
        rest=size - float(found.contribution.sum()) - found.context,
        came=tuple([term(i) for i in helps if found.more[i]][:top]),
        went=tuple([term(i) for i in helps if not found.more[i]][:top]),
        n_terms=len(frequent),
        n_significant=int((found.qvalues <= fdr).sum()),
        examples=tuple(_example(texts, int(place), number, values[place], along, inside, names) for place in farthest),
    )


def _agreement(
    location: ShiftComponent, first: list[str], second: list[str], names: tuple[str, str]
) -> tuple[float | None, tuple[tuple[str, ...], tuple[str, ...]]]:
    from xembed.shift import distinguishing_terms

    counted = distinguishing_terms(first, second, top=200, names=names)

    def singles(terms: Any) -> list[Any]:
        return [term for term in terms if " " not in term.term]

    sides = [singles(counted.more_in_F), singles(counted.more_in_G)]
    shown = tuple(tuple(term.term for term in side[:_COMPARED]) for side in sides)
    significant = {term.term for term in sides[1] if term.qvalue <= counted.fdr}
    against = significant if len(significant) >= _COMPARED else {term.term for term in sides[1][:_COMPARED]}
    mine = [term.term for term in location.came[:_COMPARED]]
    return (float(np.mean([term in against for term in mine])) if mine and against else None), (shown[0], shown[1])


def _verdict(
    components: tuple[ShiftComponent, ...], names: tuple[str, str], agreement: float | None, fdr: float
) -> str:
    location = components[0]

    def listed(terms: tuple[ShiftTerm, ...]) -> str:
        sure = [term for term in terms if term.qvalue <= fdr][:5]
        return ", ".join(f"“{term.term}”" for term in sure)

    gained, lost = listed(location.came), listed(location.went)
    said = [
        f"The center of “{names[1]}” lies {location.size:.3f} from that of “{names[0]}”; "
        f"{location.n_significant} of {location.n_terms} terms add to that by more than chance explains."
    ]
    if gained:
        said.append(f"Terms gained: {gained}.")
    if lost:
        said.append(f"Terms lost: {lost}.")
    for component in components[1:4]:
        if terms := listed(component.came):
            said.append(f"A region that is {component.kind}: {terms}.")
    if agreement is not None:
        said.append(f"{agreement:.0%} of the first terms differ in their counts, too.")
    return " ".join(said)
