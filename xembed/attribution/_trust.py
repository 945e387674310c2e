"""Which method finds words that don't belong: a test on the user's own texts, before explanations are believed."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xembed._core.provenance import provenance
from xembed._core.validation import RNG, check_count, check_number, check_rng, describe_rng, quote_options
from xembed.attribution._embedding_targets import Depth, EmbeddingTarget, NearestSimilarity, embeddings_of
from xembed.attribution._explain import explain
from xembed.attribution._method import Method
from xembed.attribution._methods import find_methods
from xembed.attribution._planting import Planted, method_trust, plant, planted_auroc, resamples
from xembed.attribution._trust_result import MethodTrust, PlantedExample, TrustResult
from xembed.encoders import describe_encoder, encode_texts

Floats = npt.NDArray[np.float64]
TARGETS = ("depth", "nearest_similarity")
# What is compared where nothing else is asked: the methods that did best and those that people try first.
DEFAULT_METHODS = ("lime", "shapley_sampling", "occlusion", "integrated_gradients", "saliency_l2")
_N_EXAMPLES = 3


def trust_check(
    encoder: Any,
    texts: Sequence[str],
    *,
    reference: Sequence[str] | None = None,
    methods: Sequence[str] | str = "default",
    targets: Sequence[str] = ("nearest_similarity", "depth"),
    n_texts: int = 60,
    n_words: tuple[int, int] = (2, 4),
    n_neighbors: int = 10,
    off_topic: Sequence[str] | None = None,
    threshold: float = 0.8,
    n_samples: int = 200,
    deletion: str | None = None,
    baseline: str = "pad",
    rng: RNG = None,
) -> TrustResult:
    """Plant words that don't belong in your own texts, and measure which method finds them.

    Explanations of why a text is typical or an outlier can't be checked: nobody knows the true reason. Here the reason
    is made. A method that doesn't find it in these texts can't be believed about others of the corpus.

    Parameters
    ----------
    encoder : Encoder or object with ``.encode``
        For an object of your own only methods that leave words out are tried.
    texts : sequence of str
        Texts of the corpus. Words are planted in some of those with 4 words and more.
    reference : sequence of str, optional
        The corpus that depth is taken in. By default those of ``texts`` that nothing is planted in.
    methods : 'default', or sequence of str
        Names in `METHODS`. By default LIME, Shapley sampling, occlusion, Integrated Gradients and Saliency.
    targets : sequence of {'nearest_similarity', 'depth'}
        What is attributed to words: the similarity to the nearest texts of the reference, or depth in all of it.
    n_texts : int, default=60
        How many texts words are planted in, at most half of them.
    n_words : pair of int, default=(2, 4)
        Fewest and most words planted in a text.
    n_neighbors : int, default=10
        Of 'nearest_similarity', as in `explain_depth`.
    off_topic : sequence of str, optional
        Words to plant, single ones. By default 180 common words of many fields, without those that occur in the corpus.
    threshold : float in (0.5, 1), default=0.8
        The AUROC that the lower end of the interval of the best method has to reach for ``trusted``.
    n_samples : int, default=200
        As in `explain`.
    deletion, baseline
        As in `explain`.
    rng : int, numpy.random.Generator or None, default=None
        For what is planted where, and the resamples.

    Returns
    -------
    TrustResult
        With a ``verdict`` in words, the methods best first, and ``report(path)``.

    Raises
    ------
    ValueError
        If there are too few texts, all words to plant occur in the corpus, or an option is unknown.
    TypeError
        If ``encoder`` is none, or a text is not a string.

    Notes
    -----
    A word counts as found by how far it pulls the text away: minus its attribution, its size for methods without signs.
    AUROCs are taken within each text and averaged. Methods without signs are measured and never recommended: what they
    find are words of content, on any corpus, and they can't say which way a word pulls.

    Where the corpus is broad, a planted word fits some text in it, and no method with signs finds it: then explanations
    of depth by words have nothing to go by, and ``verdict`` says so.

    Examples
    --------
    >>> import xembed
    >>> from xembed.attribution import trust_check
    >>> from xembed.datasets import load_corpora
    >>> texts = load_corpora("support_tickets").texts
    >>> found = trust_check(
    ...     xembed.load_encoder(device="cpu"), texts, methods=["occlusion"], targets=["nearest_similarity"], n_texts=8
    ... )
    >>> found.recommended, round(found.methods[0].auroc, 1), found.trusted  # eight texts are too few to be sure
    ('occlusion', 0.8, False)
    """
    caller = "trust_check"
    count = check_count(n_texts, name="n_texts", caller=caller, low=2)
    neighbors = check_count(n_neighbors, name="n_neighbors", caller=caller)
    check_number(threshold, name="threshold", caller=caller, low=0.5, high=1, closed="neither")
    wanted = find_methods(DEFAULT_METHODS if methods == "default" else methods, caller=caller)
    if not targets or any(target not in TARGETS for target in targets):
        raise ValueError(
            f"The 'targets' parameter of {caller} must be one or both of {quote_options(TARGETS)}. Got {targets!r}."
        )
    generator = check_rng(rng, caller=caller)
    seeds = generator.spawn(3)
    planted, words = plant(
        texts, reference, n_texts=count, n_words=n_words, off_topic=off_topic, rng=seeds[0], caller=caller
    )
    warnings: list[str] = []
    if methods == "default":
        wanted = _possible(wanted, encoder, warnings)
    options = {"n_samples": n_samples, "deletion": deletion, "baseline": baseline, "rng": 0, "progress": False}
    found: list[tuple[MethodTrust, list[Floats]]] = []
    # The same resamples for all methods.
    drawn = resamples(planted, seeds[1])
    embedded = embeddings_of(encoder, planted.reference, name="reference", caller=caller)
    for name in targets:
        target = make_target(name, embedded, neighbors)
        found += [_measure(encoder, planted, method, target, options, drawn) for method in wanted]
    found.sort(key=lambda item: (not item[0].signed, -item[0].auroc))
    best, values = found[0]
    method = next(method for method in wanted if method.name == best.method)
    untrained = _untrained_auroc(encoder, planted, method, best.target, neighbors, options)
    moved = _deletion_share(encoder, planted, values, make_target(best.target, embedded, neighbors), seeds[2])
    trusted = best.signed and best.interval[0] >= threshold and (untrained is None or untrained < best.auroc)
    return TrustResult(
        verdict=_verdict(best, trusted, threshold, untrained),
        trusted=trusted,
        recommended=best.method,
        recommended_target=best.target,
        methods=tuple(item for item, _ in found),
        threshold=float(threshold),
        untrained=untrained,
        deletion=moved,
        n_texts=len(planted.rows),
        n_planted=int(sum(marks.sum() for marks in planted.planted)),
        n_reference=len(planted.reference),
        off_topic=tuple(words),
        examples=tuple(
            PlantedExample(tuple(row), tuple(bool(mark) for mark in marks), tuple(float(value) for value in of_row))
            for row, marks, of_row in zip(
                planted.rows[:_N_EXAMPLES], planted.planted[:_N_EXAMPLES], values[:_N_EXAMPLES], strict=True
            )
        ),
        encoder=describe_encoder(encoder),
        warnings=tuple(warnings),
        provenance=provenance(
            caller,
            methods=[method.name for method in wanted],
            targets=list(targets),
            n_words=list(n_words),
            n_neighbors=neighbors,
            n_samples=n_samples,
            deletion=deletion,
            baseline=baseline,
            rng=describe_rng(rng),
        ),
    )


def trust_note(report: TrustResult, method: str, target: str) -> str:
    """Return what a check says of one method and target, which need not be the recommended ones."""
    if (method, target) == (report.recommended, report.recommended_target):
        return report.verdict
    best = report.methods[0]
    for found in report.methods:
        if (found.method, found.target) == (method, target):
            return (
                f"On planted words {found.label} has an AUROC of {found.auroc:.2f} ({found.interval[0]:.2f} to "
                f"{found.interval[1]:.2f}) here; {best.label} on {best.target} has {best.auroc:.2f}."
            )
    return (
        f"This method was not checked on planted words; {best.label} on {best.target} has an AUROC of {best.auroc:.2f}."
    )


def make_target(name: str, reference: Floats, n_neighbors: int) -> EmbeddingTarget:
    """Return the target of a name in a corpus."""
    return Depth(reference) if name == "depth" else NearestSimilarity(reference, n_neighbors=n_neighbors)


def planted_scores(
    encoder: Any, planted: Planted, method: Method, target: EmbeddingTarget, options: dict[str, Any]
) -> tuple[list[Floats], Floats]:
    """Return by how much each word pulls away, and the completeness errors."""
    found = explain(encoder, planted.rows, method=method.name, target=target, **options)
    away = [-values if method.signed else np.abs(values) for values in found.values]
    return away, found.completeness


def _measure(
    encoder: Any,
    planted: Planted,
    method: Method,
    target: EmbeddingTarget,
    options: dict[str, Any],
    drawn: npt.NDArray[np.int64],
) -> tuple[MethodTrust, list[Floats]]:
    """Return how well a method does, with an interval by the resamples ``drawn``, and what it said of each word."""
    began = time.monotonic()
    away, completeness = planted_scores(encoder, planted, method, target, options)
    seconds = (time.monotonic() - began) / len(away)
    finite = completeness[np.isfinite(completeness)]
    result = method_trust(
        away,
        planted,
        drawn,
        method=method.name,
        label=method.label,
        target=target.name,
        signed=method.signed,
        completeness=float(np.median(finite)) if len(finite) else None,
        seconds=seconds,
    )
    return result, away


def _possible(methods: list[Method], encoder: Any, warnings: list[str]) -> list[Method]:
    from xembed.attribution._encoder_model import EmbeddingModel

    try:
        EmbeddingModel(encoder, lambda embeddings: embeddings, caller="trust_check")
    except (TypeError, ValueError) as error:
        warnings.append(f"Only methods that leave words out were tried: {error}")
        return [method for method in methods if method.family == "perturbation"]
    return methods


def untrained_copy(encoder: Any, *, seed: int) -> Any:
    """Return a copy of an encoder whose transformer has random weights.

    None if it is not made of one, or if corrections are around it, which were fitted to trained embeddings.
    """
    from xembed.attribution._encoder_model import has_gradients, unwrap
    from xembed.attribution._randomisation import randomise

    inside, corrections = unwrap(encoder)
    if not has_gradients(inside) or corrections:
        return None
    found = copy.copy(inside)
    found.model = copy.deepcopy(inside.model)
    found.model[0].model = randomise(inside.model[0].auto_model, "all", seed=seed)
    found._state = None
    return found


def _untrained_auroc(
    encoder: Any, planted: Planted, method: Method, target: str, n_neighbors: int, options: dict[str, Any]
) -> float | None:
    random = untrained_copy(encoder, seed=0)
    if random is None:
        return None
    reference = random.encode(planted.reference, cache=False, progress=False)
    away, _ = planted_scores(random, planted, method, make_target(target, np.asarray(reference), n_neighbors), options)
    return float(planted_auroc(away, planted.planted).mean())


def _deletion_share(
    encoder: Any, planted: Planted, away: list[Floats], target: EmbeddingTarget, rng: np.random.Generator
) -> float:
    """Return how often deleting the word named first moves the target up more than deleting another one."""
    import torch

    first = [int(values.argmax()) for values in away]
    other = [
        int(rng.choice([place for place in range(len(values)) if place != named]))
        for values, named in zip(away, first, strict=True)
    ]
    left = [
        [word for place, word in enumerate(row) if place != gone]
        for rows, gones in ((planted.rows, first), (planted.rows, other))
        for row, gone in zip(rows, gones, strict=True)
    ]
    whole = [" ".join(row) for row in planted.rows]
    head, targets = target.prepare(encoder, whole, caller="trust_check")
    vectors = np.asarray(encode_texts(encoder, [" ".join(row) for row in left]).embeddings, dtype=np.float64)
    with torch.no_grad():
        scores = head(torch.from_numpy(vectors)).numpy()
    n = len(whole)
    chosen = scores[np.arange(2 * n), np.tile(targets, 2)]
    return float(np.mean((chosen[:n] > chosen[n:]) + 0.5 * (chosen[:n] == chosen[n:])))


def _verdict(best: MethodTrust, trusted: bool, threshold: float, untrained: float | None) -> str:
    low, high = best.interval
    what = "the similarity to the nearest texts" if best.target == "nearest_similarity" else "depth in the whole corpus"
    numbers = f"AUROC {best.auroc:.2f} ({low:.2f} to {high:.2f}) with {best.label} on {what}; guessing gives 0.50"
    if not best.signed:
        return f"Words can't be trusted as reasons here: {numbers}, and the method does not tell toward from away."
    if trusted:
        return f"Planted words are found: {numbers}. Use that method for these texts."
    if untrained is not None and untrained >= best.auroc:
        return (
            f"Words can't be trusted as reasons here: {numbers}, and the same encoder with random weights does no "
            f"worse ({untrained:.2f})."
        )
    return (
        f"Words can't be trusted as reasons here: {numbers}, where {threshold:.2f} is asked of the lower end. The "
        "corpus is too broad, or its texts too short, for single words to make a text an outlier."
    )
