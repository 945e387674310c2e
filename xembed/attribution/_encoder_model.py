"""Encoders as attribution methods see them: with gradients where they are made of a transformer, by texts where not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xembed._core.validation import check_texts
from xembed.attribution._embedding_targets import EmbeddingTarget
from xembed.attribution._scored_model import Ids, ScoredModel
from xembed.encoders import Encoder, encode_texts
from xembed.encoders._words import EncodedWords

Floats = npt.NDArray[np.float64]
Head = Callable[[torch.Tensor], torch.Tensor]
# Relative errors up to which embeddings of an `EmbeddingModel` are those of its encoder, and a correction is affine.
_SAME = 1e-3
_AFFINE = 1e-4


class EmbeddingModel(torch.nn.Module):
    """An encoder with a function of its embeddings, the head, called as a classifier of transformers is.

    Corrections around the encoder must be affine if gradients are needed (else ValueError); otherwise they are applied
    as they are. TypeError if the encoder is not made of a transformer.
    """

    def __init__(self, encoder: Any, head: Head, *, needs_gradients: bool = True, caller: str) -> None:
        super().__init__()
        inside, corrections = unwrap(encoder)
        if not has_gradients(inside):
            raise TypeError(
                f"{caller} needs the gradients or tokens of an encoder made of a transformer, such as "
                f"xembed.load_encoder() gives. {type(inside).__name__} gives embeddings only: choose a method that "
                "leaves words out, such as 'occlusion' or 'shapley_sampling'."
            )
        self.pipeline: Any = inside.model
        self.head, self.encoder, self._normalize = head, encoder, inside._normalize
        self._affine: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._others: list[Any] = []
        try:
            for correction in corrections:
                width = self._affine[-1][0].shape[1] if self._affine else inside.dimension
                self._affine.append(_affine(correction, width, caller=caller))
        except ValueError:
            if needs_gradients:
                raise
            self._affine, self._others = [], corrections
        self._prompt_length = _prompt_length(inside)

    @property
    def transformer(self) -> Any:
        """The model of transformers."""
        return self.pipeline[0].auto_model

    @property
    def base_model(self) -> Any:
        """The transformer without a head."""
        return getattr(self.transformer, "base_model", self.transformer)

    @property
    def config(self) -> Any:
        """Configuration of the transformer."""
        return self.transformer.config

    @property
    def attention_reader(self) -> str:
        """Tokens that the pooling reads, for attention methods."""
        from xembed.encoders import _pipeline

        return {"cls": "first", "last_token": "last"}.get(_pipeline.find_pooling(self.pipeline) or "", "mean")

    def set_attn_implementation(self, name: str) -> None:
        """Hand on to the transformer."""
        self.transformer.set_attn_implementation(name)

    def get_input_embeddings(self) -> Any:
        """Return the word embeddings."""
        return self.transformer.get_input_embeddings()

    def forward(self, *, attention_mask: torch.Tensor, output_attentions: bool = False, **inputs: torch.Tensor) -> Any:
        """Return an object with ``.logits``, (n_rows, n_outputs), and ``.attentions``, None unless asked for."""
        features: dict[str, Any] = {"attention_mask": attention_mask, **inputs}
        attentions = None
        if output_attentions:  # the pipeline would drop them
            from xembed.encoders import _pipeline

            states = self.transformer(**features, output_attentions=True, output_hidden_states=True, return_dict=True)
            layer = _pipeline.find_layer(self.pipeline)  # later ones are not read
            attentions = states.attentions if layer == -1 else states.attentions[:layer]
            features |= {"token_embeddings": states.last_hidden_state, "all_layer_embeddings": states.hidden_states}
        else:
            features = self.pipeline[0](features)
        return SimpleNamespace(logits=self.head(self.pool(features)), attentions=attentions)

    def embed(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of the encoder, (n_rows, n_dims), of ids or word embeddings and their mask."""
        return self.pool(self.pipeline[0](inputs))

    def pool(self, features: dict[str, Any]) -> torch.Tensor:
        """Return the embeddings of the features of the transformer."""
        if self._prompt_length is not None:
            features["prompt_length"] = self._prompt_length
        for module in list(self.pipeline)[1:]:
            features = module(features)
        return self.finish(features["sentence_embedding"])

    def finish(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Apply truncation, normalization and corrections, as the encoder does, to the output of the pipeline."""
        if self.pipeline.truncate_dim is not None:
            embeddings = embeddings[:, : self.pipeline.truncate_dim]
        if self._normalize:
            embeddings = torch.nn.functional.normalize(embeddings, dim=-1)
        for matrix, bias in self._affine:
            embeddings = embeddings @ matrix.to(embeddings) + bias.to(embeddings)
        for correction in self._others:
            if embeddings.requires_grad:
                raise ValueError(f"{type(correction).__name__} has no gradients: it is not a matrix with a shift")
            corrected = np.asarray(correction.transform(embeddings.cpu().numpy()))
            embeddings = torch.as_tensor(corrected).to(embeddings)
        return embeddings


class ScoredEncoder(ScoredModel):
    """An `EmbeddingModel` with its tokenizer, for methods to read."""

    def __init__(
        self,
        encoder: Any,
        head: Head,
        needs_gradients: bool = True,
        *,
        site: str = "word",
        max_length: int | None = None,
        caller: str,
    ) -> None:
        module = EmbeddingModel(encoder, head, needs_gradients=needs_gradients, caller=caller)
        limits = [limit for limit in (max_length, unwrap(encoder)[0].max_length) if limit is not None]
        prompt = module.pipeline.prompts.get(module.pipeline.default_prompt_name or "") or ""
        limit, tokenizer = min(limits, default=None), module.pipeline.tokenizer
        super().__init__(module, tokenizer, site=site, max_length=limit, prefix=prompt, caller=caller)

    def verify(self, row: EncodedWords, text: str) -> None:
        """Compare the embedding with that of the encoder; ValueError if they differ."""
        ids, mask = self.tensors([row.ids])
        with self.frozen(), torch.no_grad():
            own = self.module.embed(input_ids=ids, attention_mask=mask).double().cpu().numpy()[0]  # type: ignore[operator]
        expected = np.asarray(encode_texts(self.module.encoder, [text]).embeddings[0], dtype=np.float64)
        if own.shape != expected.shape or np.abs(own - expected).max() > _SAME * np.linalg.norm(expected):
            raise ValueError(
                f"The encoder of {self.caller} can't be taken apart: its embedding of {text!r:.40} is not the output "
                "of its tokens and modules. Choose a method that leaves words out and wrap the encoder in an object "
                "that has .encode only."
            )


class ScoredTexts(ScoredModel):
    """Any object with ``.encode``, for methods that leave words out: words are separated by blanks.

    The ids of a row are numbers of words, and rows are joined to texts again. Without tokens, absent words can only be
    deleted.
    """

    def __init__(self, encoder: Any, head: Head, *, caller: str) -> None:
        # Not ScoredModel.__init__: there is no module and no tokenizer.
        self.encoder, self.head, self.caller = encoder, head, caller
        self.site, self.output = "word", "logit"
        self.words = _BlankWords(caller)  # type: ignore[assignment]
        self.module = encoder
        self.n_forward = self.n_backward = 0

    def score_ids(self, rows: Sequence[Ids], *, progress: Any = None) -> Floats:
        """Return the outputs, (n_rows, n_outputs), of rows of word numbers; equal rows are encoded once."""
        places = {row: place for place, row in enumerate(dict.fromkeys(rows))}
        texts = [" ".join(self.words.vocabulary[number] for number in row) for row in places]  # type: ignore[attr-defined]
        vectors = _encode_with_empty(self.encoder, texts, caller=self.caller)
        with torch.no_grad():
            outputs = self.head(torch.from_numpy(vectors)).double().numpy()
        self.n_forward += len(places)
        if progress is not None:
            progress(len(places))
        return np.asarray(outputs[[places[row] for row in rows]])

    def filler(self, kind: str) -> int:
        """Refuse: only deletion is possible."""
        raise ValueError(
            f"{self.caller} can only delete words of texts for {type(self.encoder).__name__}, which has no tokens to "
            f"replace absent ones: use deletion='delete'. Got {kind!r}."
        )

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Do nothing: there are no weights."""
        yield


class _BlankWords:
    """Splits texts at blanks, and numbers the words."""

    max_length: int | None = None

    def __init__(self, caller: str) -> None:
        self.caller = caller
        self.vocabulary: list[str] = []
        self._numbers: dict[str, int] = {}

    def encode(self, texts: Any) -> list[EncodedWords]:
        rows = []
        for text in check_texts([text if isinstance(text, str) else " ".join(text) for text in texts]):
            words = tuple(text.split())
            ids = tuple(self._numbers.setdefault(word, len(self._numbers)) for word in words)
            rows.append(EncodedWords(words, ids, tuple(range(len(words)))))
        self.vocabulary = list(self._numbers)
        return rows


def as_scored_encoder(
    encoder: Any, head: Head, *, needs_model: bool, site: str = "word", max_length: int | None = None, caller: str
) -> ScoredModel:
    """Return an encoder as methods read it: by its tokens if it is made of a transformer, else by its texts."""
    if has_gradients(unwrap(encoder)[0]):
        return ScoredEncoder(encoder, head, needs_model, site=site, max_length=max_length, caller=caller)
    if needs_model:
        EmbeddingModel(encoder, head, caller=caller)  # says what is wrong
    return ScoredTexts(encoder, head, caller=caller)


def prepare_target(
    encoder: Any, target: Any, texts: Sequence[str], *, caller: str
) -> tuple[Head, npt.NDArray[np.int64], str]:
    """Return the head, the output to explain for each text, and the name of the target."""
    if isinstance(target, EmbeddingTarget):
        return *target.prepare(encoder, texts, caller=caller), target.name
    if callable(target):
        return _checked_callable(target, caller), np.zeros(len(texts), dtype=np.int64), "score"
    raise TypeError(
        f"The 'target' parameter of {caller} must be a number of the embedding to explain: Similarity, Depth, "
        "NearestSimilarity, Projection or Logit of xembed.attribution, or a function from embeddings, a torch.Tensor "
        f"of shape (n, d), to numbers of shape (n,). Got {target!r:.60} instead."
    )


def _checked_callable(target: Callable[[torch.Tensor], torch.Tensor], caller: str) -> Head:
    def head(embeddings: torch.Tensor) -> torch.Tensor:
        outputs = target(embeddings)
        if not isinstance(outputs, torch.Tensor) or outputs.shape not in {(len(embeddings),), (len(embeddings), 1)}:
            got = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
            raise ValueError(
                f"The 'target' of {caller}, a function, must return a tensor of shape ({len(embeddings)},), a number "
                f"for each embedding. Got {got}."
            )
        return outputs.reshape(-1, 1)

    return head


def unwrap(encoder: Any) -> tuple[Any, list[Any]]:
    """Return the encoder inside, and the corrections around it in the order of their application."""
    from xembed.isotropy import WrappedEncoder

    corrections: list[Any] = []
    while isinstance(encoder, WrappedEncoder):
        corrections.insert(0, encoder.correction)
        encoder = encoder.encoder
    if isinstance(encoder, torch.nn.Module):
        from sentence_transformers import SentenceTransformer

        encoder = Encoder(encoder) if isinstance(encoder, SentenceTransformer) else encoder
    return encoder, corrections


def has_gradients(encoder: Any) -> bool:
    """Whether an encoder is made of a transformer that reads word embeddings and gives token embeddings."""
    if not isinstance(encoder, Encoder):
        return False
    from sentence_transformers.base.modules import Transformer

    first: Any = encoder.model[0]
    return isinstance(first, Transformer) and first.module_output_name == "token_embeddings"


def _affine(correction: Any, width: int, *, caller: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return matrix and bias of a correction of ``width`` dimensions, from its values at the unit vectors."""
    zero = np.asarray(correction.transform(np.zeros((1, width))), dtype=np.float64)
    matrix = np.asarray(correction.transform(np.eye(width)), dtype=np.float64) - zero
    probe = np.random.default_rng(0).normal(size=(8, width))
    expected = np.asarray(correction.transform(probe), dtype=np.float64)
    # Not ">", so that NaN is refused too.
    if not np.abs(probe @ matrix + zero - expected).max() <= _AFFINE * max(1.0, np.abs(expected).max()):
        raise ValueError(
            f"{caller} needs a correction that is a matrix and a shift. {type(correction).__name__} is not: choose a "
            "method that leaves words out, such as 'occlusion' or 'shapley_sampling'."
        )
    return torch.from_numpy(matrix), torch.from_numpy(zero[0])


def _prompt_length(encoder: Encoder) -> int | None:
    from sentence_transformers.sentence_transformer.modules import Pooling

    model: Any = encoder.model
    prompt = model.prompts.get(model.default_prompt_name or "") or None
    if prompt is None or not any(isinstance(module, Pooling) and not module.include_prompt for module in model):
        return None
    length = model.preprocess(["a"], prompt=prompt).get("prompt_length")
    return None if length is None else int(length)


def _encode_with_empty(encoder: Any, texts: list[str], *, caller: str) -> Floats:
    """Return embeddings; that of an empty text, all words deleted, comes from the model of the encoder."""
    filled = [text for text in texts if text]
    rows = np.zeros((0, 0)) if not filled else np.asarray(encode_texts(encoder, filled).embeddings, dtype=np.float64)
    if len(filled) == len(texts):
        return rows
    problem = f"{caller} needs the embedding of a text without words, which {type(encoder).__name__}"
    remedy = "choose 'occlusion' for texts of more than one word."
    try:
        empty = np.asarray(_encode_nothing(encoder), dtype=np.float64).reshape(1, -1)
    except Exception as error:  # from an object of the user's, any error is possible
        raise ValueError(f"{problem} refuses ({error!s:.80}): {remedy}") from error
    if not np.isfinite(empty).all():
        raise ValueError(f"{problem} gives as NaN or infinity: {remedy}")
    embeddings = np.repeat(empty, len(texts), axis=0)
    embeddings[[place for place, text in enumerate(texts) if text]] = rows if filled else empty[:0]
    return embeddings


def _encode_nothing(encoder: Any) -> Any:
    """Return the embedding of an empty text: an `Encoder` refuses it, but its model has one."""
    inside, corrections = unwrap(encoder)
    embeddings = inside._run_model([""]) if isinstance(inside, Encoder) else inside.encode([""])
    for correction in corrections:
        embeddings = correction.transform(embeddings)
    return embeddings
