"""Which methods are valid on a model, and which are equivalent to another method on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from xembed._core.fields import OneOf, Provenance
from xembed._core.provenance import provenance
from xembed._core.results import Result, RowKey, UserText
from xembed.attribution._embedding_targets import Depth
from xembed.attribution._explain import as_scored_model, is_encoder, read_encoder
from xembed.attribution._method import Floats, Method, MethodOptions, MethodOutput, Targets, sum_rows
from xembed.attribution._methods import METHODS, find_methods
from xembed.attribution._scored_model import Rows, ScoredModel
from xembed.encoders._words import EncodedWords

if TYPE_CHECKING:
    import pandas as pd

VALID, DEGENERATE, UNSUPPORTED = "valid", "degenerate", "unsupported"

# Sentences of different lengths, so that a batch has padding.
_PROBES = (
    "She sold the old piano to a neighbor .",
    "After the storm the fisherman mended his nets and sang .",
    "The committee postponed its decision until the report about the bridge had been read by everyone .",
    "Nobody knew the answer .",
    "My sister plays chess on the balcony when it rains in the evening .",
)
# Methods that are the same but for rounding differ by less; different ones by far more.
_SAME = 1e-5
# DeepLIFT without rules for the model's activations is (x - b) times the gradient but for the one tanh it knows.
_NEARLY_SAME, _SAME_ORDER = 0.02, 0.999
_BATCH = 1e-3
# Completeness errors from which there is a remark, and from which a method that draws nothing is degenerate.
_SUM, _BROKEN = 0.1, 0.5
# Methods that each method may be equivalent to.
EQUIVALENT_METHODS = {
    "guided_backprop": ("saliency_l1",),
    "deconvolution": ("saliency_l1", "guided_backprop"),
    "deep_lift": ("difference_x_gradient",),
    "attention_gradient": ("attention_rollout",),
}


@dataclass(frozen=True, eq=False, repr=False)
class MethodStatus(Result):
    """Whether one method is valid on a model.

    Attributes
    ----------
    method, label : str
        Name, and name in tables.
    status : {'valid', 'degenerate', 'unsupported'}
        'degenerate': it is equivalent to another method, or far from complete; 'unsupported': it fails, or is the same
        for all words.
    reason : str
        Reason in plain words, with its number; blank if valid without a remark.
    """

    schema: ClassVar[str] = "xembed.attribution.MethodStatus/1"

    method: Annotated[str, RowKey]
    label: str
    status: Annotated[str, OneOf("valid", "degenerate", "unsupported")]
    reason: Annotated[str, UserText]


@dataclass(frozen=True, eq=False, repr=False)
class MethodHealth(Result):
    """Which methods are valid on a model.

    Attributes
    ----------
    model : str
        Class of the model.
    methods : tuple of MethodStatus
        Status of each method.
    notes : tuple of str
        Caveats about the model as a whole.
    provenance : dict
        Function, parameters and versions.
    """

    schema: ClassVar[str] = "xembed.attribution.MethodHealth/1"
    page: ClassVar[str | None] = "xembed.attribution._pages.corpora:health"

    model: Annotated[str, UserText]
    methods: tuple[MethodStatus, ...]
    notes: Annotated[tuple[str, ...], UserText]
    provenance: Provenance

    def __getitem__(self, method: str) -> MethodStatus:
        """Return the status of a method by name."""
        return {status.method: status for status in self.methods}[method]

    @property
    def valid(self) -> tuple[str, ...]:
        """Names of the valid methods."""
        return tuple(status.method for status in self.methods if status.status == VALID)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each method."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(status) for status in self.methods])

    def _scalars(self) -> dict[str, Any]:
        statuses = [method.status for method in self.methods]
        counts = {f"n_{status}": statuses.count(status) for status in (VALID, DEGENERATE, UNSUPPORTED)}
        return {"model": self.model} | counts


def method_health(
    model: Any,
    *,
    tokenizer: Any = None,
    methods: str | Iterable[str] = "all",
    texts: Sequence[str] | Sequence[Sequence[str]] = _PROBES,
    target: Any = None,
    options: MethodOptions | None = None,
) -> MethodHealth:
    """Find out, before anything is ranked, which attribution methods are valid on a model.

    Parameters
    ----------
    model, tokenizer
        The model, as in `explain`.
    methods : str or iterable of str, default='all'
        Names in `METHODS`. Reference methods, which don't look at the model, are left out of 'all'.
    texts : list of str or of lists of str
        Texts to explain. By default five sentences of different lengths.
    target : optional
        Target of an encoder, as in `explain`. By default depth in ``texts``.
    options : MethodOptions, optional
        Options of the methods.

    Returns
    -------
    MethodHealth
        The ``status`` and ``reason`` of ``result["guided_backprop"]`` and so on.

    Raises
    ------
    ValueError
        If a method is unknown or there are fewer than 2 texts.
    TypeError
        If the model or the tokenizer is of the wrong type.

    Notes
    -----
    Everything is measured, not looked up by the name of the model. Without ReLU modules Guided Backprop and
    Deconvolution are the gradient; without rules for the activations DeepLIFT is the difference to the baseline times
    the gradient. Attention methods need attention weights. Attributions of a text must not depend on the other texts of
    its batch, and scores through ``inputs_embeds`` must be those of ``input_ids``.

    Examples
    --------
    >>> import transformers, xembed
    >>> from xembed.attribution import method_health
    >>> tokenizer = xembed.load_encoder(device="cpu").model[0].tokenizer
    >>> config = transformers.BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    >>> model = transformers.BertForSequenceClassification(config)
    >>> health = method_health(model, tokenizer=tokenizer, methods=["saliency_l1", "guided_backprop"])
    >>> health["saliency_l1"].status, health["guided_backprop"].status
    ('valid', 'degenerate')
    """
    caller = "method_health"
    of_encoder = is_encoder(model)
    wanted = find_methods(methods, caller=caller)
    if methods == "all":
        wanted = [method for method in wanted if method.family != "reference"]
    if len(texts) < 2:
        raise ValueError(f"The 'texts' parameter of {caller} must hold at least 2 texts. Got {len(texts)}.")
    if of_encoder:
        depth = Depth([text if isinstance(text, str) else " ".join(text) for text in texts])
        scored, rows, targets = read_encoder(
            model, texts, depth if target is None else target, needs_model=False, caller=caller
        )
        options = MethodOptions(n_samples=20, deletion="delete") if options is None else options
    else:
        scored = as_scored_model(model, tokenizer, caller=caller)
        rows = scored.words.encode(texts)
        scores = scored.score_ids([row.ids for row in rows])
        targets = np.asarray(scores.argmax(axis=1), dtype=np.int64)
    probe = _Probe(scored, rows, targets, options or MethodOptions(n_samples=20))
    statuses = tuple(MethodStatus(method.name, method.label, *probe.judge(method)) for method in wanted)
    return MethodHealth(
        model=type(model if of_encoder else scored.module).__name__,
        methods=statuses,
        notes=tuple(probe.notes()),
        provenance=provenance(caller, methods=[method.name for method in wanted], n_texts=len(rows)),
    )


class _Probe:
    """One model and a few texts, and the outputs of methods for them."""

    def __init__(self, model: ScoredModel, rows: list[EncodedWords], targets: Targets, options: MethodOptions) -> None:
        self.model, self.rows, self.targets, self.options = model, rows, targets, options
        self.outputs: dict[str, MethodOutput | str] = {}

    @property
    def has_tokens(self) -> bool:
        """Whether methods can read tokens."""
        return hasattr(self.model, "tokenizer")

    def notes(self) -> list[str]:
        if not self.has_tokens:
            return []
        try:
            gap = self.embedding_gap()
        except Exception as error:  # as in `_attempt`
            return [f"The model can't be called with inputs_embeds: {error!s:.200}. Gradient methods need that."]
        note = (
            f"The model gives other scores for inputs_embeds than for input_ids (by {gap:.1g} of their spread): "
            "gradient methods explain other scores than those of its texts."
        )
        return [note] if gap > _BATCH else []

    def embedding_gap(self) -> float:
        """Return the largest difference of scores between ids and embeddings, relative to their spread."""
        import torch

        ids, mask = self.model.tensors([row.ids for row in self.rows])
        with self.model.frozen(), torch.no_grad():
            by_embeds = self.model.score(self.model.embed(ids, mask), mask).double().cpu().numpy()
        by_ids = self.model.score_ids([row.ids for row in self.rows])
        return float(np.abs(by_embeds - by_ids).max() / max(np.ptp(by_ids), np.abs(by_ids).max() * 1e-3, 1e-12))

    def run(self, name: str) -> MethodOutput | str:
        """Return the output of a method, or its error."""
        if name not in self.outputs:
            run = self._difference_x_gradient if name == "difference_x_gradient" else None
            self.outputs[name] = _attempt(run or (lambda: self._run(METHODS[name], self.rows)))
        return self.outputs[name]

    def alone(self, method: Method) -> MethodOutput | str:
        """Return the output of a method for one text at a time, or its error."""
        return _attempt(
            lambda: MethodOutput.of([self._run(method, [row], place).words[0] for place, row in enumerate(self.rows)])
        )

    def _run(self, method: Method, rows: list[EncodedWords], first: int = 0) -> MethodOutput:
        targets = self.targets[first : first + len(rows)]
        return method.run(self.model, rows, targets, self.options)

    def judge(self, method: Method) -> tuple[str, str]:
        """Return the status of a method, and why."""
        if not self.has_tokens and method.family in ("attention", "gradient"):
            return UNSUPPORTED, f"{type(self.model.module).__name__} gives embeddings only, no gradients and no tokens"
        output = self.run(method.name)
        if isinstance(output, str):
            return UNSUPPORTED, output
        values = np.concatenate(output.words)
        if not np.isfinite(values).all():
            return UNSUPPORTED, "it gives NaN or infinity"
        if method.family != "reference" and all(
            np.ptp(words) <= 1e-12 * max(1.0, np.abs(words).max()) for words in output.words
        ):
            return UNSUPPORTED, "it gives the same for all words"
        alone = self.alone(method)
        if isinstance(alone, str):
            return UNSUPPORTED, alone
        if (gap := _difference(values, np.concatenate(alone.words))) > _BATCH:
            return UNSUPPORTED, f"its values of a text depend on the other texts of the batch (by {100 * gap:.0f} %)"
        for other in EQUIVALENT_METHODS.get(method.name, ()):
            if reason := self._equivalent(values, other, output):
                return DEGENERATE, reason
        remark = self._remark(method, output)
        if method.name == "deep_lift" and _median(output.completeness) > _BROKEN:
            return DEGENERATE, f"{remark}: it has no rule for the model's activations"
        return VALID, remark

    def _equivalent(self, values: Floats, other: str, output: MethodOutput) -> str:
        """Return in what the values equal those of another method; blank if they don't."""
        theirs = self.run(other)
        if isinstance(theirs, str):
            return ""
        expected = np.concatenate(theirs.words)
        gap = _difference(values, expected)
        if other != "difference_x_gradient":
            missing = "" if self._has_relu() else ": the model has no ReLU module"
            return f"equal to {METHODS[other].label}{missing}" if gap <= _SAME else ""
        from scipy import stats

        order = stats.spearmanr(values, expected).statistic
        if gap > _NEARLY_SAME and order < _SAME_ORDER:
            return ""
        error = float(np.nanmedian(output.completeness))
        return (
            f"equal to (x − b) × gradient (rank correlation {order:.3f}): no rule for the activations; its "
            f"completeness error is {100 * error:.0f} % (median)"
        )

    def _remark(self, method: Method, output: MethodOutput) -> str:
        if (error := _median(output.completeness)) > _SUM:
            return f"its completeness error is {100 * error:.0f} % (median)"
        if method.name == "attention_rollout":
            return "the same for every class"
        return ""

    def _has_relu(self) -> bool:
        import torch

        return any(isinstance(module, torch.nn.ReLU) for module in self.model.module.modules())

    def _difference_x_gradient(self) -> MethodOutput:
        """Return the difference to the baseline times the gradient at the input."""
        import torch

        def token_values(places: list[int], batch: Rows, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            at = self.model.embed(ids, mask).requires_grad_()
            scores = self.model.score(at, mask)[range(len(batch)), self.targets[places]]
            (gradient,) = torch.autograd.grad(scores.sum(), at)
            return ((at.detach() - self.model.baseline_embeds(batch, self.options.baseline)) * gradient).sum(-1)

        return sum_rows(self.model, self.rows, self.options, token_values)


def _attempt(run: Callable[[], MethodOutput]) -> MethodOutput | str:
    """Return the output of ``run``, or that it fails and why."""
    try:
        return run()
    except Exception as error:  # on a model that a method is not made for, any error is possible
        return f"it fails: {error!s:.200}" if str(error) else f"it fails: {type(error).__name__}"


def _difference(first: Floats, second: Floats) -> float:
    """Return the length of the difference, relative to the larger one."""
    size = max(float(np.linalg.norm(first)), float(np.linalg.norm(second)))
    return float(np.linalg.norm(first - second)) / size if size > 0 else 0.0


def _median(errors: Floats) -> float:
    """Return the median of those that are finite; 0 if none is."""
    finite = errors[np.isfinite(errors)]
    return float(np.median(finite)) if len(finite) else 0.0
