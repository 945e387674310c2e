"""What is done to a SentenceTransformer; imported by functions alone, since it imports PyTorch, which takes seconds."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import tokenizers
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Module, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import PreTrainedTokenizerBase

from xembed._core.validation import check_count
from xembed.encoders._poolings import POOLINGS

_UNLIMITED = 10**9  # transformers writes "no limit" as 10**30, StaticEmbedding as infinity
_TOKENIZE_AT_ONCE = 1024
_BLANKS = " \t\n\r▁ĠĊĉč"  # blanks as SentencePiece and byte-level tokenizers write them


class LayerSelection(Module):
    """Hands the token embeddings of one layer on: 0 is the embedding layer's output, ``n`` that of the n-th block."""

    config_keys = ["layer"]  # noqa: RUF012  # declared so in the base class

    def __init__(self, layer: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layer = layer

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Replace ``token_embeddings``, and drop the other layers to free their memory."""
        features["token_embeddings"] = features.pop("all_layer_embeddings")[self.layer]
        return features

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Save the configuration; there are no weights."""
        self.save_config(output_path)


def find_device(device: Any, *, caller: str) -> str:
    """Return the name of the device to use, if this machine has it."""
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        target = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise (ValueError if isinstance(device, str) else TypeError)(
            f"The 'device' parameter of {caller} must be 'auto' or the name of a torch device, such as 'cpu', "
            f"'cuda' or 'cuda:1'. Got {device!r} instead."
        ) from error
    backend: Any = getattr(torch, target.type, None)
    available = target.type == "cpu" or (hasattr(backend, "is_available") and backend.is_available())
    if available and target.index is not None and hasattr(backend, "device_count"):
        available = target.index < backend.device_count()
    if not available:
        raise ValueError(
            f"The 'device' parameter of {caller} must be a device that PyTorch finds on this machine. Got "
            f"{str(target)!r} instead: use device='auto', or install a PyTorch built for that device."
        )
    return str(target)


@contextlib.contextmanager
def ready_on(model: torch.nn.Module, device: str | None, *, caller: str) -> Iterator[None]:
    """Put a model into evaluation mode on a device (None: where it is), and everything back afterwards."""
    target = None if device is None else find_device(device, caller=caller)
    modes = {module: module.training for module in model.modules()}
    home = next(model.parameters()).device
    try:
        model.eval()
        if target is not None:
            model.to(target)
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        if target is not None:
            model.to(home)


def customize(
    model: SentenceTransformer,
    *,
    layer: int,
    pooling: str | None,
    normalize: bool | None,
    max_length: int | None,
    caller: str,
) -> SentenceTransformer:
    """Return the model with the options of `load_encoder` applied; options left alone change nothing."""
    if layer != -1 or pooling is not None or max_length is not None:
        _require_transformer(model, layer=layer, pooling=pooling, max_length=max_length, caller=caller)
    modules = list(model)
    unit_length = is_normalized(model)
    if layer != -1 or pooling is not None:
        modules = _replace_head(model, layer=layer, pooling=pooling, caller=caller)
        modules += [Normalize()] if unit_length else []
    if normalize is False and unit_length:
        modules = modules[:-1]
    if normalize is True and not unit_length:
        modules.append(Normalize())
    if [id(module) for module in modules] != [id(module) for module in model]:
        model = with_modules(model, modules)
    _set_max_length(model, max_length, caller=caller)
    return model.eval()


def with_modules(model: SentenceTransformer, modules: Sequence[torch.nn.Module]) -> SentenceTransformer:
    """Return a pipeline of these modules with the other settings of ``model``."""
    return SentenceTransformer(
        modules=list(modules),
        device=str(model.device),
        prompts={name: text or "" for name, text in model.prompts.items()},
        default_prompt_name=model.default_prompt_name,
        similarity_fn_name=model.similarity_fn_name,
        truncate_dim=model.truncate_dim,
    )


def lower_modules(model: SentenceTransformer) -> list[torch.nn.Module]:
    """Return the modules before the pooling."""
    modules: list[torch.nn.Module] = list(model)
    position = next((i for i, module in enumerate(modules) if isinstance(module, Pooling)), 1)
    return modules[:position]


def is_normalized(model: SentenceTransformer) -> bool:
    """Say whether the pipeline ends with bringing embeddings to unit length."""
    last = model[len(model) - 1]
    return isinstance(last, Normalize) and last.module_output_name == "sentence_embedding"


def find_layer(model: SentenceTransformer) -> int:
    """Return which layer is pooled, -1 for the model's output."""
    return next((module.layer for module in model if isinstance(module, LayerSelection)), -1)


def find_pooling(model: SentenceTransformer) -> str | None:
    """Return the name of the pooling, None where there is none; several are joined by '+'."""
    module = pooling_module(model)
    if module is None:
        return None
    names = {pooling.mode: pooling.name for pooling in POOLINGS.values()}
    modes = (module.pooling_mode,) if isinstance(module.pooling_mode, str) else module.pooling_mode
    return "+".join(names.get(mode, mode) for mode in modes)


def pooling_module(model: SentenceTransformer) -> Pooling | None:
    """Return the pooling of a pipeline, if it has one."""
    return next((module for module in model if isinstance(module, Pooling)), None)


def pooling_like(model: SentenceTransformer, dimension: int, mode: str) -> Pooling:
    """Return another pooling that treats the prompt as the pipeline's own does."""
    own = pooling_module(model)
    pooling: Pooling = Pooling(dimension, mode, include_prompt=own.include_prompt if own is not None else True)
    return pooling


def features_of(model: SentenceTransformer, texts: Sequence[str]) -> dict[str, Any]:
    """Return what the first module reads of texts with the model's prompt, on its device."""
    features: Any = model.preprocess(list(texts), prompt=model.prompts.get(model.default_prompt_name or "") or None)
    return {
        name: value.to(model.device) if isinstance(value, torch.Tensor) else value for name, value in features.items()
    }


def find_max_length(model: SentenceTransformer) -> int | None:
    """Return the number of tokens the model reads of a text, None if there is no limit."""
    length = getattr(model[0], "max_seq_length", None)
    return None if length is None or length > _UNLIMITED else int(length)


def position_limit(model: SentenceTransformer) -> int | None:
    """Return how many tokens the position embeddings allow, None if they set no limit."""
    return count_positions(model[0].auto_model) if isinstance(model[0], Transformer) else None


def count_positions(transformer: Any) -> int | None:
    """Return how many tokens the position embeddings of a model of transformers allow, None if they set no limit."""
    for module in transformer.modules() if isinstance(transformer, torch.nn.Module) else ():
        positions = getattr(module, "position_embeddings", None)
        padding_idx = getattr(module, "padding_idx", None)
        # RoBERTa and its kin count positions from padding_idx + 1.
        if isinstance(positions, torch.nn.Embedding) and isinstance(padding_idx, int):
            return positions.num_embeddings - padding_idx - 1
    config: Any = getattr(transformer, "config", None)
    of_text = config.get_text_config() if hasattr(config, "get_text_config") else config
    limit = getattr(of_text, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None  # XLNet writes -1 for none


def count_tokens(model: SentenceTransformer, texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return numbers of tokens of whole texts, (n_texts, 3): all with the prompt, unknown ones, and content."""
    tokenizer = getattr(model[0], "tokenizer", None)
    known = isinstance(tokenizer, tokenizers.Tokenizer | PreTrainedTokenizerBase)
    count = TokenKinds(tokenizer).count if known else None
    prompt = model.prompts.get(model.default_prompt_name or "") or ""
    whole = ["", *texts]
    counts = np.concatenate(
        [
            _count_words(tokenizer, [prompt + text for text in part])
            if count is None
            else count(_token_ids(model, tokenizer, part, prompt))
            for part in (whole[i : i + _TOKENIZE_AT_ONCE] for i in range(0, len(whole), _TOKENIZE_AT_ONCE))
        ]
    )
    counts[:, 1:] -= counts[0, 1:]  # those of the prompt
    of_texts: npt.NDArray[np.int64] = np.maximum(counts[1:], 0)
    return of_texts


class TokenKinds:
    """Which tokens of a tokenizer are unknown, and which say nothing: special and blank ones."""

    def __init__(self, tokenizer: Any) -> None:
        if isinstance(tokenizer, tokenizers.Tokenizer):
            special = {i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}
            unknown = getattr(tokenizer.model, "unk_token", None)
            unknown_id = getattr(tokenizer.model, "unk_id", None) if unknown is None else tokenizer.token_to_id(unknown)
        else:
            special, unknown_id = set(tokenizer.all_special_ids), tokenizer.unk_token_id
            named = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
            if unknown_id in named:  # GPT-2 has one token for everything, and never meets an unknown one
                unknown_id = None
        self._unknown = -1 if unknown_id is None else unknown_id
        blank = {i for token, i in tokenizer.get_vocab().items() if not token.strip(_BLANKS)}
        self._silent = np.asarray(sorted((special | blank) - {self._unknown}), np.int64)

    def count(self, rows: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
        """Return how many tokens of each row there are, are unknown, and are content: shape (n_rows, 3)."""
        lengths = np.fromiter(map(len, rows), np.int64, count=len(rows))
        ids = np.fromiter(itertools.chain.from_iterable(rows), np.int64, count=int(lengths.sum()))
        of_row = np.repeat(np.arange(len(rows)), lengths)
        kinds = (ids == self._unknown, ~np.isin(ids, self._silent))
        return np.stack([lengths, *(np.bincount(of_row[kind], minlength=len(rows)) for kind in kinds)], axis=1)


def _token_ids(model: SentenceTransformer, tokenizer: Any, texts: Sequence[str], prompt: str) -> list[list[int]]:
    if "message" in getattr(model[0], "modality_config", ()):  # a chat template adds tokens of its own
        whole = {"text": {"truncation": False, "verbose": False}}
        features = [model.preprocess([text], prompt=prompt, processing_kwargs=whole) for text in texts]
        return [feature["input_ids"].ravel().tolist() for feature in features]
    prompted = [prompt + text for text in texts]
    if isinstance(tokenizer, tokenizers.Tokenizer):  # StaticEmbedding
        return [item.ids for item in tokenizer.encode_batch(prompted, add_special_tokens=False)]
    encoded = tokenizer(
        prompted,
        padding=False,
        truncation=False,
        verbose=False,  # no warning that a text is longer than the model reads: it will be cut
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    return cast("list[list[int]]", encoded["input_ids"])


def _count_words(tokenizer: Any, texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the counts of `count_tokens` for bag-of-words models, which leave unknown words out."""
    n_words = np.array([len(text.split()) for text in texts])
    n_known = n_words if tokenizer is None else np.array([len(tokenizer.tokenize(text)) for text in texts])
    return np.stack([n_words, n_words - n_known, n_words], axis=1)


def _require_transformer(
    model: SentenceTransformer, *, layer: int, pooling: str | None, max_length: int | None, caller: str
) -> None:
    given = {"layer": layer != -1, "pooling": pooling is not None, "max_length": max_length is not None}
    name = next(name for name, is_given in given.items() if is_given)
    first = model[0]
    if not isinstance(first, Transformer):
        raise ValueError(
            f"The {name!r} parameter of {caller} must be left out for this model: it is made of "
            f"{type(first).__name__}, not of a Transformer with layers and pooling."
        )
    if (layer != -1 or pooling is not None) and first.module_output_name != "token_embeddings":
        raise ValueError(
            f"The {name!r} parameter of {caller} must be left out for this model: it gives one "
            f"vector a text ({first.module_output_name}), no token embeddings to be pooled."
        )


def _replace_head(model: SentenceTransformer, *, layer: int, pooling: str | None, caller: str) -> list[torch.nn.Module]:
    """Return the modules up to and with the pooling; what follows was trained for the model's own output."""
    first: Any = model[0]
    own: Any = pooling_module(model)
    body = lower_modules(model)
    if layer == -1:
        dimension = own.embedding_dimension if own is not None else first.get_embedding_dimension()
    else:
        # Modules between Transformer and pooling (weights of words or layers) fit the last layer only.
        layer, dimension = _find_hidden_state(model, layer, caller=caller)
        body = [first, LayerSelection(layer)]
    mode = POOLINGS[pooling].mode if pooling is not None else (own.pooling_mode if own is not None else "mean")
    return [*body, pooling_like(model, dimension, mode)]


def _find_hidden_state(model: SentenceTransformer, layer: int, *, caller: str) -> tuple[int, int]:
    """Return the layer counted from 0 and its width, both found by a look at what the model gives."""
    transformer: Any = model[0]
    transformer.config.output_hidden_states = True
    with torch.inference_mode():
        states = transformer.eval()(features_of(model, ["a"])).get("all_layer_embeddings")
    if states is None:
        raise ValueError(
            f"The 'layer' parameter of {caller} must be -1 for this model: it does not give the outputs of its "
            f"layers. Got {layer} instead."
        )
    n_states = len(states)
    if not -n_states <= layer < n_states:
        raise ValueError(
            f"The 'layer' parameter of {caller} must be an integer in [{-n_states}, {n_states - 1}]: the model "
            f"has {n_states - 1} blocks, and 0 is the output of its embedding layer. Got {layer} instead."
        )
    index = layer % n_states
    return index, states[index].shape[-1]


def _set_max_length(model: SentenceTransformer, max_length: int | None, *, caller: str) -> None:
    limit = position_limit(model)
    own = find_max_length(model)
    if max_length is None:
        # Some checkpoints name a length that their position embeddings don't have: long texts would fail.
        if limit is not None and (own is None or own > limit):
            model.max_seq_length = limit
        return
    special = model.tokenizer.num_special_tokens_to_add()
    check_count(max_length, name="max_length", caller=caller, low=special + 1)
    if limit is not None and max_length > limit:
        raise ValueError(
            f"The 'max_length' parameter of {caller} must be at most {limit}, the number of the model's position "
            f"embeddings. Got {max_length} instead."
        )
    model.max_seq_length = max_length
