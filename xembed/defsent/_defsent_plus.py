"""DefSent+: training against entry embeddings that are made of definitions."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from xembed._core.torch import own_randomness
from xembed._core.validation import RNG, check_count, check_flag, check_number, check_option, check_rng, shows_progress
from xembed.defsent import _defaults as defaults
from xembed.defsent._body import Body
from xembed.defsent._definitions import Definitions, hold_out, read_definitions
from xembed.defsent._result import TrainingStep
from xembed.defsent._softmax import cross_entropy, losses_and_ranks, sampled_cross_entropy
from xembed.defsent._training import EMBED_AT_ONCE, DefinitionTrainer, Task
from xembed.encoders import Encoder, load_encoder
from xembed.encoders._layers import require_transformer
from xembed.encoders._prompt import TEMPLATE
from xembed.encoders._training import Settings, Tensors, progress_bar

if TYPE_CHECKING:
    from typing_extensions import Self

_CALLER = "DefSentPlus"
ENTRY_POOLINGS = {"ac": "cls", "amp": "mean"}
PROJECTIONS = ("ica", "whitening")
HEADS = ("identity", "linear", "orthogonal", "pooler")


class DefSentPlus(DefinitionTrainer):
    r"""Train an encoder so that definitions are close to the embeddings of their dictionary entries.

    The embedding of an entry is the mean of the embeddings of its definitions, by the encoder itself. These frozen
    vectors are the output layer: the encoder, with a head :math:`g` on top, is trained to find the entry of each
    definition, by the cross-entropy of the softmax of :math:`g(\mathrm{pool}(d))^\top W^\top` over all entries. Then
    the trained encoder makes new entry embeddings, and the next round begins (progressive separate training [1]_). The
    head is dropped in the end. Nothing but definitions is used, never an entry's name.

    Parameters
    ----------
    encoder : Encoder, optional
        Encoder of `xembed.load_encoder`, or a `PromptEncoder`. It is copied, never changed. By default the default
        encoder. Parameters that don't require a gradient stay as they are. With an inner layer only the blocks up to it
        are trained. Modules after the pooling are left out, but for bringing to unit length.
    rounds : int
        Number of rounds of training.
    entry_pooling : {'amp', 'ac'}
        Embeddings that entries are averages of: mean-pooled token embeddings, or those of the first token ([CLS]).
    pooling : {'mean', 'cls', 'prompt'}, optional
        Pooling of a definition, and later of a sentence; 'prompt' gives a `PromptEncoder`. By default that of the
        encoder.
    template : str
        Template of the prompt, for ``pooling='prompt'``.
    shared_definitions : {'drop', 'keep'}
        Treatment of entries that share a definition, such as the synonyms of WordNet: 'drop' keeps, in random order,
        the entries that come first, so that every definition has one entry; with 'keep' a definition is asked for
        several entries at once, which can't be learned.
    projection : {'ica', 'whitening'}, optional
        Transform that makes the entry matrix isotropic. 'ica' is the published one: standardizing, then FastICA, times
        100. 'whitening' (ZCA, times 100) has the same Gram matrix up to the standardizing, in a fraction of the time,
        and without the rotation that the head has to learn. Fitted on the entries that are trained on.
    projection_rounds : {'last', 'all'} or tuple of int
        Rounds, counted from 1, in which entries are projected.
    normalize_entries : bool
        Whether the rows of the entry matrix are brought to unit length, after projection.
    entry_scale : float or tuple of float
        Factor of the entry matrix: the inverse temperature of the softmax. One number for all rounds, or one a round.
    head : {'pooler', 'identity', 'linear', 'orthogonal'} or torch.nn.Module
        Layer between the pooled vector and the entries. 'pooler': the dense layer of the model's own pooler with tanh,
        or a new one if it has none (a checkpoint without pooler is given random weights by transformers when it is
        loaded). 'identity': none. 'linear': a dense layer that starts as the identity. 'orthogonal': a rotation that
        starts as the identity. A module of your own, from (batch, d) to (batch, d), is copied.
    learning_rate : float
        Maximal learning rate.
    batch_size : int, default=32
        Number of definitions a step.
    epochs : int, default=1
        Number of passes over all definitions in each round.
    warmup : float in [0, 1), default=0.0
        Share of the steps in which the learning rate rises linearly; after that it falls linearly to 0.
    weight_decay : float, default=0.0
        Weight decay of AdamW (eps 1e-6).
    max_grad_norm : float or None, default=1.0
        Length to which gradients are cut.
    dropout : float in [0, 1), optional
        Probability of all dropout layers in training. None leaves them as the model has them.
    max_length : int or None, default=150
        Number of tokens read of a definition in training, at most what the encoder reads. The trained encoder reads as
        much as before.
    restart : bool
        Whether every round starts from the original weights, as published, or from those of the round before.
    n_sampled : int, optional
        Number of uniformly drawn entries a step that the softmax is estimated from, the same for the whole batch. By
        default all entries count, which is exact.
    softmax_chunk : int, default=8192
        Number of entries at a time in the exact softmax: it bounds the memory, and changes nothing else but rounding.
    validation_fraction : float in [0, 1), default=0.05
        Share of the entries that are held out of training. The softmax of training does not hold them; in validation,
        their definitions are looked for among all entries.
    patience : int, optional
        Number of evaluations without a smaller validation loss after which a round stops; the best weights of the
        round are kept. By default all steps are taken, and the last weights kept.
    eval_every : int, optional
        Number of steps between evaluations. By default an epoch.
    log_every : int, default=50
        Number of steps that a loss in the record is the mean of.
    checkpoint_dir : path, optional
        Folder for checkpoints; its parent has to exist. If it holds one of the same training, that is continued, and
        gives the same weights, to the bit on a CPU with the same number of threads.
    checkpoint_every : int, optional
        Number of steps between checkpoints. By default only after each round.
    device : str, default='auto'
        Device of the training. The trained encoder is on the device that the given one was on.
    progress : bool, optional
        Whether to show progress bars on stderr. By default only if that is a terminal.
    random_state : int, numpy.random.Generator or None, default=0
        Seed or generator of what is held out, the order of definitions, dropout, a new head and ICA. None is seed 0.
        PyTorch's global generators are left as they were.

    Attributes
    ----------
    encoder_ : Encoder
        The trained encoder, without the head.
    entry_embeddings_ : ndarray of shape (n_entries, d), float32
        Entry embeddings of the last round, before projection, in the order of the dictionary (those of ``validation``
        come last).
    history_ : list of TrainingRound
        A record of each round.
    result_ : DefSentResult
        All that can be said about the training, for JSON.

    See Also
    --------
    DefSent : against the word embeddings of a masked language model.

    Notes
    -----
    Published [1]_: three rounds, each from the original weights, ICA in the third for BERT and none for encoders that
    were trained contrastively; head 'pooler', and for RoBERTa the dense layer of its masked-language-model head, which
    an `Encoder` does not hold: ``head=torch.nn.Sequential(model.lm_head.dense, torch.nn.GELU())``; batches of 32, one
    epoch, AdamW with eps 1e-6, linear decay without warm-up, gradients cut to 1, learning rates of 1e-6 to 2e-5. The
    defaults here for ``projection``, ``head``, ``learning_rate``, ``dropout``, ``shared_definitions`` and the scale of
    entries are this library's.

    The entry matrix takes n_entries × d × 4 bytes, a step ``batch_size`` × ``softmax_chunk`` × 4 more.

    References
    ----------
    .. [1] X. Liu. "DefSent+". arXiv:2405.16153 (2024).

    Examples
    --------
    >>> import xembed
    >>> from xembed.defsent import DefSentPlus
    >>> dictionary = {
    ...     "cat": ["a small pet that purrs", "an animal that chases mice"],
    ...     "rain": "water that falls from clouds",
    ...     "bread": "food baked from flour",
    ... }
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> trained = DefSentPlus(encoder, rounds=1, validation_fraction=0).fit(dictionary)
    >>> trained.encoder_.encode(["a purring animal"], cache=False).shape
    (1, 384)
    >>> trained.result_.n_definitions
    4
    """

    entry_embeddings_: npt.NDArray[np.float32]

    def __init__(
        self,
        encoder: Encoder | None = None,
        *,
        rounds: int = defaults.ROUNDS,
        entry_pooling: str = defaults.ENTRY_POOLING,
        pooling: str | None = None,
        template: str = TEMPLATE,
        shared_definitions: str = defaults.SHARED_DEFINITIONS,
        projection: str | None = defaults.PROJECTION,
        projection_rounds: str | tuple[int, ...] = defaults.PROJECTION_ROUNDS,
        normalize_entries: bool = defaults.NORMALIZE_ENTRIES,
        entry_scale: float | tuple[float, ...] = defaults.ENTRY_SCALE,
        head: str | torch.nn.Module = defaults.HEAD,
        learning_rate: float = defaults.LEARNING_RATE,
        batch_size: int = 32,
        epochs: int = 1,
        warmup: float = 0.0,
        weight_decay: float = 0.0,
        max_grad_norm: float | None = 1.0,
        dropout: float | None = defaults.DROPOUT,
        max_length: int | None = 150,
        restart: bool = defaults.RESTART,
        n_sampled: int | None = None,
        softmax_chunk: int = 8192,
        validation_fraction: float = 0.05,
        patience: int | None = None,
        eval_every: int | None = None,
        log_every: int = 50,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        device: str = "auto",
        progress: bool | None = None,
        random_state: RNG = 0,
    ) -> None:
        self.encoder = encoder
        self.rounds = rounds
        self.entry_pooling = entry_pooling
        self.pooling = pooling
        self.template = template
        self.shared_definitions = shared_definitions
        self.projection = projection
        self.projection_rounds = projection_rounds
        self.normalize_entries = normalize_entries
        self.entry_scale = entry_scale
        self.head = head
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.dropout = dropout
        self.max_length = max_length
        self.restart = restart
        self.n_sampled = n_sampled
        self.softmax_chunk = softmax_chunk
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.eval_every = eval_every
        self.log_every = log_every
        self.checkpoint_dir = checkpoint_dir
        self.checkpoint_every = checkpoint_every
        self.device = device
        self.progress = progress
        self.random_state = random_state

    def fit(
        self, dictionary: Any, validation: Any = None, *, callback: Callable[[TrainingStep], object] | None = None
    ) -> Self:
        """Train.

        Parameters
        ----------
        dictionary : Dictionary or mapping
            Result of `xembed.datasets.load_dictionary`, or a mapping of entries to a definition or a list of them.
        validation : Dictionary or mapping, optional
            Other entries, held out in place of ``validation_fraction`` of ``dictionary``.
        callback : callable, optional
            Function that is called with a ``TrainingStep`` (round, step, n_steps, loss, learning_rate) after each step.

        Returns
        -------
        DefSentPlus
            Itself.

        Raises
        ------
        ValueError
            If the encoder is not made of a transformer, there are fewer than 2 entries, a definition is empty, an entry
            is there twice or in both dictionaries, an option is none of those above, or the checkpoint is of another
            training.
        TypeError
            If something else than texts or an `Encoder` comes.
        RuntimeError
            If the loss is not finite: the step and the learning rate are named.
        """
        from xembed.encoders._pipeline import find_device

        settings, scales, projected, seed = self._check()
        device = find_device(self.device, caller=_CALLER)
        shows_progress(self.progress, caller=_CALLER)
        given = read_definitions(dictionary, validation, caller=_CALLER)
        definitions = given
        if self.shared_definitions == "drop":
            definitions = given.without_shared(np.random.default_rng([seed, 1]), caller=_CALLER)
        generator = np.random.default_rng(seed)
        definitions = hold_out(definitions, float(self.validation_fraction), generator, caller=_CALLER)
        body = Body(
            load_encoder(device=device) if self.encoder is None else self.encoder,
            pooling=self.pooling,
            template=self.template,
            max_length=self.max_length,
            device=device,
            caller=_CALLER,
        )
        with own_randomness(device, seed):
            head = make_head(self.head, body.transformer.auto_model, body.dimension).to(device)
        trained = torch.nn.ModuleDict({"transformer": body.transformer, "head": head})
        if not any(p.requires_grad for p in trained.parameters()):
            raise ValueError(
                f"The 'encoder' parameter of {_CALLER} must have weights that require gradients. Got none."
            )

        def begin(number: int, arrays: Tensors | None) -> EntryTask:
            return EntryTask(
                body,
                head,
                definitions,
                arrays or self._entries(body, definitions, scales[number - 1], number in projected, seed),
                projected=number in projected,
                n_sampled=self.n_sampled,
                softmax_chunk=self.softmax_chunk,
            )

        known = {"head": type(self.head).__name__} if isinstance(self.head, torch.nn.Module) else {}
        task = self._train(
            begin,
            method="defsent+",
            body=body,
            head=head,
            trained=trained,
            definitions=definitions,
            settings=settings,
            parameters=self._parameters(**known, seed=seed),
            callback=callback,
            n_given=len(given.entries),
            dropped="share a definition with another one",
            n_rounds=self.rounds,
            restart=self.restart,
            dropout=self.dropout,
        )
        self.entry_embeddings_ = task.arrays["entries"].numpy()
        return self

    def _entries(self, body: Body, definitions: Definitions, scale: float, projected: bool, seed: int) -> Tensors:
        """Return the entry embeddings of a round, and the entry matrix that is made of them."""
        show = shows_progress(self.progress, caller=_CALLER)
        with progress_bar(show, "Entries", "definition", len(definitions.texts)) as bar:
            entries = embed_entries(body, definitions, self.entry_pooling, EMBED_AT_ONCE, bar.update)
        targets = make_targets(
            entries,
            ~definitions.held_out,
            projection=self.projection if projected else None,
            normalize=self.normalize_entries,
            scale=scale,
            seed=seed,
        )
        return {"entries": torch.from_numpy(entries), "targets": torch.from_numpy(targets)}

    def _check(self) -> tuple[Settings, tuple[float, ...], frozenset[int], int]:
        """Return the checked options: settings, the scale of each round, the rounds with projection, the seed."""
        if self.encoder is not None:
            require_transformer(self.encoder, caller=_CALLER)
        rounds = check_count(self.rounds, name="rounds", caller=_CALLER)
        check_option(self.entry_pooling, ENTRY_POOLINGS, name="entry_pooling", caller=_CALLER)
        if self.pooling is not None:
            check_option(self.pooling, ("cls", "mean", "prompt"), name="pooling", caller=_CALLER)
        check_option(self.shared_definitions, ("drop", "keep"), name="shared_definitions", caller=_CALLER)
        if self.dropout is not None:
            check_number(self.dropout, name="dropout", caller=_CALLER, low=0, high=1, closed="left")
        if self.projection is not None:
            check_option(self.projection, PROJECTIONS, name="projection", caller=_CALLER)
        if not isinstance(self.head, torch.nn.Module):
            check_option(self.head, HEADS, name="head", caller=_CALLER)
        for name in ("normalize_entries", "restart"):
            check_flag(getattr(self, name), name=name, caller=_CALLER)
        for name in ("n_sampled", "max_length"):
            if getattr(self, name) is not None:
                check_count(getattr(self, name), name=name, caller=_CALLER, low=1 if name == "n_sampled" else 4)
        check_count(self.softmax_chunk, name="softmax_chunk", caller=_CALLER)
        settings = self._check_settings(decay=True, eps=1e-6, learning_rate=self.learning_rate, caller=_CALLER)
        seed = int(check_rng(self.random_state, name="random_state", caller=_CALLER).integers(2**63))
        return settings, self._scales(rounds), self._projected(rounds), seed

    def _scales(self, rounds: int) -> tuple[float, ...]:
        scales = self.entry_scale if isinstance(self.entry_scale, tuple) else (self.entry_scale,) * rounds
        if len(scales) != rounds:
            raise ValueError(
                f"The 'entry_scale' parameter of {_CALLER} must be one number, or one for each of the {rounds} rounds. "
                f"Got {self.entry_scale!r} instead."
            )
        return tuple(
            check_number(scale, name="entry_scale", caller=_CALLER, low=0, high=1e6, closed="right") for scale in scales
        )

    def _projected(self, rounds: int) -> frozenset[int]:
        given = self.projection_rounds
        if isinstance(given, tuple):
            if not given or not all(isinstance(i, int) and not isinstance(i, bool) and 1 <= i <= rounds for i in given):
                raise ValueError(
                    f"The 'projection_rounds' parameter of {_CALLER} must be 'last', 'all' or a tuple of rounds from 1 "
                    f"to {rounds}. Got {given!r} instead."
                )
            projected = frozenset(given)
        else:
            check_option(given, ("all", "last"), name="projection_rounds", caller=_CALLER)
            projected = frozenset(range(1, rounds + 1) if given == "all" else [rounds])
        return projected if self.projection is not None else frozenset()


def embed_entries(
    body: Body, definitions: Definitions, pooling: str, batch_size: int, advance: Callable[[int], object]
) -> npt.NDArray[np.float32]:
    """Return the mean of the vectors of each entry's definitions, shape (n_entries, d)."""
    counts = body.count(definitions.texts)
    rows = np.argsort(-counts, kind="stable")  # longest first: a batch too large for the memory fails at once
    total = np.zeros((len(definitions.entries), body.dimension), dtype=np.float32)
    body.model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            vectors = body.pool_as([definitions.texts[i] for i in batch], ENTRY_POOLINGS[pooling])
            np.add.at(total, definitions.owners[batch], vectors.cpu().numpy())
            advance(len(batch))
    total /= np.bincount(definitions.owners, minlength=len(total))[:, None]
    if not np.isfinite(total).all():
        raise RuntimeError("The entry embeddings are not finite: are the encoder's weights damaged?")
    return total


def make_targets(
    entries: npt.NDArray[np.float32],
    fitted_on: npt.NDArray[np.bool_],
    *,
    projection: str | None,
    normalize: bool,
    scale: float,
    seed: int,
) -> npt.NDArray[np.float32]:
    """Return the entry matrix of shape (n_entries, d): projected, brought to unit length, scaled, as asked for.

    A projection is fitted on the entries ``fitted_on``. Directions without variance among them become 0.
    """
    targets = entries if projection is None else _project(entries, fitted_on, projection, seed)
    if normalize:
        lengths = np.linalg.norm(targets, axis=1, keepdims=True)
        targets = targets / np.maximum(lengths, np.finfo(np.float32).tiny)
    return np.ascontiguousarray(targets * np.float32(scale), dtype=np.float32)


def measure_isotropy(rows: npt.NDArray[np.float32]) -> tuple[float | None, float | None]:
    """Return debiased IsoScore and average cosine, None for what so few or such rows don't have."""
    from xembed.isotropy import average_cosine, isoscore

    used = rows[:, rows.any(axis=0)]  # dimensions that a projection left empty
    score = cosine = None
    with contextlib.suppress(ValueError):  # too few rows, or all rows alike
        score = float(isoscore(used, debiased=True))
    with contextlib.suppress(ValueError):  # rows of zeros
        cosine = float(average_cosine(used))
    return score, cosine


def _project(
    entries: npt.NDArray[np.float32], fitted_on: npt.NDArray[np.bool_], projection: str, seed: int
) -> npt.NDArray[Any]:
    from xembed.isotropy import ICAProjection, Whitening

    # Both map directions without variance to 0, and give as many dimensions as the encoder's vectors have. Of all
    # rotations of whitened vectors, ZCA's is closest to the vectors themselves.
    if projection == "ica":
        fitted, scale = ICAProjection(scale=defaults.PROJECTION_SCALE, random_state=seed % 2**32), 1.0
    else:
        fitted, scale = Whitening(method="zca"), defaults.PROJECTION_SCALE
    try:
        fitted.fit(entries[fitted_on])
    except ValueError as error:
        raise ValueError(f"The entry embeddings can't be projected with projection={projection!r}: {error}") from error
    projected: npt.NDArray[Any] = fitted.transform(entries) * np.float32(scale)
    return projected


def make_head(kind: str | torch.nn.Module, transformer: Any, dimension: int) -> torch.nn.Module:
    """Return a head of vectors of length ``dimension``; new weights come from torch's global generator.

    'pooler' copies the dense layer of the model's own pooler, with tanh. A model that has none gets a new one.
    """
    if isinstance(kind, torch.nn.Module):
        return copy.deepcopy(kind).requires_grad_(True)
    if kind == "identity":
        return torch.nn.Identity()
    if kind == "pooler":
        own: Any = getattr(getattr(transformer, "pooler", None), "dense", None)
        fits = isinstance(own, torch.nn.Linear) and own.weight.shape == (dimension, dimension)
        dense = copy.deepcopy(own).requires_grad_(True) if fits else torch.nn.Linear(dimension, dimension)
        return torch.nn.Sequential(dense, torch.nn.Tanh())
    dense = torch.nn.Linear(dimension, dimension, bias=kind == "linear")
    with torch.no_grad():
        torch.nn.init.eye_(dense.weight)
        if dense.bias is not None:
            dense.bias.zero_()
    if kind == "orthogonal":
        return torch.nn.utils.parametrizations.orthogonal(dense, orthogonal_map="matrix_exp")
    return dense


class EntryTask(Task):
    """A round: definitions against a frozen entry matrix."""

    def __init__(
        self,
        body: Body,
        head: torch.nn.Module,
        definitions: Definitions,
        arrays: Tensors,
        *,
        projected: bool,
        n_sampled: int | None,
        softmax_chunk: int,
    ) -> None:
        super().__init__(body, head, definitions)
        self.arrays, self.n_sampled, self.softmax_chunk = arrays, n_sampled, softmax_chunk
        self._all = arrays["targets"].to(body.device)
        self._position = np.cumsum(~definitions.held_out) - 1  # of an entry in the matrix of those trained on
        trained_on = torch.from_numpy(~definitions.held_out)
        self._targets = self._all if trained_on.all() else self._all[trained_on]
        self.facts = {"projected": projected}
        for kind, name in (("entry", "entries"), ("target", "targets")):
            score, cosine = measure_isotropy(arrays[name].numpy())
            self.facts |= {f"{kind}_isoscore": score, f"{kind}_average_cosine": cosine}

    def loss(self, rows: npt.NDArray[np.int64], generator: torch.Generator) -> torch.Tensor:
        """Return the mean cross-entropy over the entries that are trained on."""
        h = self.vectors(rows)
        targets = torch.from_numpy(self._position[self.definitions.owners[rows]]).to(h.device)
        if self.n_sampled is not None:
            return sampled_cross_entropy(h, self._targets, targets, n_sampled=self.n_sampled, generator=generator)
        return cross_entropy(h, self._targets, targets, chunk=self.softmax_chunk)

    def losses_and_ranks(self, rows: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Look for the entries of definitions among all entries."""
        h = self.vectors(rows)
        targets = torch.from_numpy(self.definitions.owners[rows]).to(h.device)
        return losses_and_ranks(h, self._all, targets, chunk=self.softmax_chunk)
