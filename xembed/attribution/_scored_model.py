"""A model as attribution methods see it: one score of a row of tokens, from their ids or from their embeddings."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed._core.validation import check_option, quote_options
from xembed.encoders._words import EncodedWords, WordEncoder, collate

if TYPE_CHECKING:
    import torch

# Where the path of a gradient method begins. "word": the word embeddings, which position embeddings and LayerNorm then
# work on. "block": the output of the whole embedding block. "block_twice": that output fed in as if it were word
# embeddings, so that positions and LayerNorm are applied a second time; only to reproduce published numbers.
SITES = ("block", "block_twice", "word")
OUTPUTS = ("logit", "probability")
BASELINES = ("mask", "pad", "unk", "zero")
DELETIONS = ("delete", "mask", "pad", "unk")

# Tokens read at once. More is slower on a CPU (the caches) and makes no difference on a GPU below its memory.
_TOKENS_ON_CPU, _TOKENS_ON_GPU = 768, 32_768
# Differences of scores up to which they are the same, relative to the largest.
_SAME_SCORE, _SAME_SCORE_OF_HALF = 1e-4, 0.05
# Rows, about, of which scores by embeddings are compared with those by ids.
_COMPARED = 8

Ids = tuple[int, ...]
Rows = Sequence[EncodedWords]
Scores = npt.NDArray[np.float64]


class ScoredModel:
    """A sequence classifier, or anything that is called like one, with its tokenizer.

    Parameters
    ----------
    module : torch.nn.Module
        Called with ``input_ids`` or ``inputs_embeds`` and ``attention_mask``; gives an object with ``.logits`` of shape
        (batch, n_outputs). Has ``get_input_embeddings()``.
    tokenizer : transformers.PreTrainedTokenizerFast
        Tokenizer of the module.
    site : {'word', 'block', 'block_twice'}
        Embeddings that gradients are taken of.
    output : {'logit', 'probability'}
        Explained score. Probabilities are those of `probabilities`.
    max_length : int, optional
        Number of tokens read of a text.
    prefix : str, default=''
        Text put before each text, such as the prompt of an encoder.
    caller : str
        Name of the caller, for messages.

    Attributes
    ----------
    n_forward, n_backward : int
        Numbers of rows computed so far, forward only, and forward and backward.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        tokenizer: Any,
        *,
        site: str = "word",
        output: str = "logit",
        max_length: int | None = None,
        prefix: str = "",
        caller: str,
    ) -> None:
        import torch

        from xembed.encoders._pipeline import count_positions

        self.module = module
        if max_length is None and (limit := count_positions(module)) is not None:
            # Many saved tokenizers name no length, or a longer one: such texts would fail inside the model.
            max_length = min(getattr(tokenizer, "model_max_length", limit), limit)
        self.words = WordEncoder(tokenizer, max_length=max_length, prefix=prefix, caller=caller)
        self.tokenizer, self.caller = tokenizer, caller
        self.site = check_option(site, SITES, name="site", caller=caller)
        self.output = check_option(output, OUTPUTS, name="output", caller=caller)
        get_embedding: Any = getattr(module, "get_input_embeddings", lambda: None)
        embedding = get_embedding()
        if not isinstance(embedding, torch.nn.Module):
            raise TypeError(
                f"The model of {caller} must have word embeddings (get_input_embeddings). Got {type(module).__name__}, "
                "which has none."
            )
        self.embedding = embedding
        self.n_forward = self.n_backward = 0

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the embeddings."""
        return next(self.embedding.parameters()).dtype

    @property
    def tokens_at_once(self) -> int:
        """Number of tokens of a batch."""
        return _TOKENS_ON_CPU if self.device.type == "cpu" else _TOKENS_ON_GPU

    # ---- embeddings

    def embed(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of rows of ids, (n_rows, n_tokens, d), at the site, without a graph."""
        import torch

        with torch.no_grad():
            embeds: torch.Tensor = self.embedding(ids)
            if self.site != "word":
                embeds = self._block_output(embeds, mask)
        return embeds.detach()

    def score(self, embeds: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the outputs, (n_rows, n_outputs), for embeddings at the site."""
        replaced = self._block_hook(lambda *_: embeds) if self.site == "block" else contextlib.nullcontext()
        with replaced:
            return self._finish(self.module(inputs_embeds=embeds, attention_mask=mask).logits)

    def _finish(self, logits: torch.Tensor) -> torch.Tensor:
        return self.probabilities(logits) if self.output == "probability" else logits

    @property
    def problem_type(self) -> str | None:
        """What the model was trained for, as transformers calls it: 'multi_label_classification', 'regression', ..."""
        return getattr(getattr(self.module, "config", None), "problem_type", None)

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return sigmoids where outputs do not compete (several labels, one output, regression), else the softmax."""
        alone = logits.shape[-1] == 1 or self.problem_type in ("multi_label_classification", "regression")
        return logits.sigmoid() if alone else logits.softmax(dim=-1)

    @property
    def block(self) -> torch.nn.Module:
        """The embedding block: word embeddings and what is added to them, up to LayerNorm and dropout."""
        import torch

        base = getattr(self.module, "base_model", self.module)
        block = getattr(base, "embeddings", None)
        return block if isinstance(block, torch.nn.Module) else self.embedding

    def _block_output(self, word_embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.block is self.embedding:
            return word_embeddings
        outputs: list[torch.Tensor] = []
        with self._block_hook(lambda _module, _args, output: outputs.append(output)):
            self.module(inputs_embeds=word_embeddings, attention_mask=mask)
        return outputs[0]

    @contextlib.contextmanager
    def _block_hook(self, hook: Callable[[Any, Any, Any], Any]) -> Iterator[None]:
        if self.block is self.embedding:
            yield
            return
        handle = self.block.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Put the model into evaluation mode, with gradients of its inputs only; undo both in the end."""
        training = [module for module in self.module.modules() if module.training]
        wanted = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        try:
            self.module.eval()
            for parameter in wanted:
                parameter.requires_grad_(False)
            yield
        finally:
            for parameter in wanted:
                parameter.requires_grad_(True)
            for part in training:  # one by one: some may have been in evaluation mode
                part.training = True

    # ---- rows of ids

    @functools.cached_property
    def padding(self) -> str:
        """Rows that can share a batch: 'any', 'equal' lengths or 'one', measured on a row beside a longer one.

        Decoders read the last place, which they find by the ids: from embeddings they read that of the padding.
        """
        import torch

        longer = tuple(self.words.encode(["a b c"])[0].ids)
        longer = longer if len(longer) > 1 else 2 * longer
        shorter = longer[:-1]

        def scores(rows: list[Ids], by_embeds: bool) -> torch.Tensor:
            ids, mask = self.tensors(rows)
            if by_embeds:
                return self.score(self.embed(ids, mask), mask)
            return self._finish(self.module(input_ids=ids, attention_mask=mask).logits)

        def same(rows: list[Ids], by_embeds: bool) -> bool:
            alone, beside = scores(rows[:1], by_embeds)[0], scores(rows, by_embeds)[0]
            return bool((alone - beside).abs().max() <= _SAME_SCORE * max(1.0, float(alone.abs().max())))

        with self.frozen(), torch.no_grad():
            for padding, rows in (("any", [shorter, longer]), ("equal", [longer, longer])):
                try:
                    if not same(rows, by_embeds=False):
                        continue
                except ValueError:  # models without a padding token refuse batches
                    continue
                with contextlib.suppress(Exception):  # embeddings are not for every model: methods say so themselves
                    if not same(rows, by_embeds=True):
                        continue
                return padding
        return "one"

    def batches(self, lengths: Sequence[int]) -> list[list[int]]:
        """Return places of rows, sorted by length and cut into batches of about ``tokens_at_once`` tokens.

        Lengths of a batch differ only where padding changes no score.
        """
        order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
        batches: list[list[int]] = []
        for place in order:
            # Lengths ascend: the newest row is the longest of its batch.
            if (
                batches
                and lengths[place] * (len(batches[-1]) + 1) <= self.tokens_at_once
                and (self.padding == "any" or (self.padding == "equal" and lengths[place] == lengths[batches[-1][0]]))
            ):
                batches[-1].append(place)
            else:
                batches.append([place])
        return batches

    def row_batches(self, rows: Rows) -> Iterator[tuple[list[int], list[EncodedWords], torch.Tensor, torch.Tensor]]:
        """Yield batches of rows: their places, the rows, ids and attention mask."""
        for places in self.batches([len(row.ids) for row in rows]):
            batch = [rows[place] for place in places]
            yield places, batch, *self.tensors([row.ids for row in batch])

    def score_ids(self, rows: Sequence[Ids], *, progress: Any = None) -> Scores:
        """Return the outputs, (n_rows, n_outputs), of rows of ids; RuntimeError if they are not finite."""
        import torch

        different = list(dict.fromkeys(rows))
        outputs: dict[Ids, Any] = {}
        with self.frozen(), torch.no_grad():
            for places in self.batches([len(row) for row in different]):
                batch = [different[place] for place in places]
                ids, mask = self.tensors(batch)
                logits = self.module(input_ids=ids, attention_mask=mask).logits
                outputs |= zip(batch, self._finish(logits).double().cpu().numpy(), strict=True)
                self.n_forward += len(batch)
                if progress is not None:
                    progress(len(batch))
        scores = np.stack([outputs[row] for row in rows])
        bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if len(bad):
            raise RuntimeError(
                f"The model of {self.caller} must give finite scores. Got NaN or infinity for {len(bad)} of "
                f"{len(scores)} rows (first: row {bad[0]}): did its training diverge, or does it run in float16?"
            )
        return scores

    def require_same_scores(self, rows: Rows, scores: Scores) -> None:
        """Compare the scores of a few rows, (n_rows, n_outputs), with those by embeddings; RuntimeError if they differ.

        Not where embeddings are fed in twice, which is another model.
        """
        import torch

        if self.site == "block_twice":
            return
        places = sorted(range(len(rows)), key=lambda place: len(rows[place].ids))
        with self.frozen(), torch.no_grad():
            for place in places[:: max(1, len(rows) // _COMPARED)]:
                ids, mask = self.tensors([rows[place].ids])
                by_embeds = self.score(self.embed(ids, mask), mask)[0].double().cpu().numpy()
                gap = np.abs(by_embeds - scores[place]).max()
                precise = torch.finfo(self.dtype).eps <= torch.finfo(torch.float32).eps
                if gap > (_SAME_SCORE if precise else _SAME_SCORE_OF_HALF) * max(1.0, np.abs(scores[place]).max()):
                    raise RuntimeError(
                        f"The model of {self.caller} must give the same scores for inputs_embeds as for input_ids, or "
                        f"gradients explain other scores than those of the texts. Got a difference of {gap:.2g} for "
                        f"text {place}: choose a method that leaves words out, such as 'occlusion' or "
                        "'shapley_sampling'."
                    )

    def tensors(self, rows: Sequence[Ids]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids and attention mask on the device of the model."""
        ids, mask = collate(rows, self.words.pad_id)
        return ids.to(self.device), mask.to(self.device)

    # ---- replacements of absent words

    def filler(self, kind: str) -> int:
        """Return the id that replaces an absent token."""
        token = getattr(self.tokenizer, f"{kind}_token_id")
        if token is None:
            raise ValueError(
                f"The replacement of absent words in {self.caller}, {kind!r}, needs a tokenizer with that special "
                f"token. {type(self.tokenizer).__name__} has none: choose another of "
                f"{quote_options({*BASELINES, *DELETIONS})}."
            )
        return int(token)

    def baseline_ids(self, row: EncodedWords, kind: str) -> Ids:
        """Return the row with every token but the special ones replaced. 'zero' has no ids: see `baseline_embeds`."""
        filler = self.words.pad_id if kind == "zero" else self.filler(kind)
        return tuple(token if word is None else filler for token, word in zip(row.ids, row.word_ids, strict=True))

    def baseline_embeds(self, rows: Rows, kind: str) -> torch.Tensor:
        """Return the embeddings of the baselines of rows, (n_rows, n_tokens, d), at the site."""
        import torch

        ids, mask = self.tensors([self.baseline_ids(row, kind) for row in rows])
        if kind != "zero":
            return self.embed(ids, mask)
        special, _ = collate([[int(flag) for flag in row.special] for row in rows], 0)
        with torch.no_grad():
            embeds = self.embedding(ids) * special.to(self.device)[..., None]
            return (self._block_output(embeds, mask) if self.site != "word" else embeds).detach()

    def without(self, row: EncodedWords, present: Sequence[bool] | npt.NDArray[np.bool_], kind: str) -> Ids:
        """Return the ids of a row in which words that are not ``present`` are deleted or replaced, token by token."""
        kept = [word is None or bool(present[word]) for word in row.word_ids]
        if kind == "delete":
            return tuple(token for token, keep in zip(row.ids, kept, strict=True) if keep)
        filler = self.filler(kind)
        return tuple(token if keep else filler for token, keep in zip(row.ids, kept, strict=True))


@contextlib.contextmanager
def own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators that captum draws from, and put them back as they were."""
    import torch

    numpy_state = np.random.get_state()  # noqa: NPY002
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        try:
            torch.manual_seed(seed % 2**63)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
