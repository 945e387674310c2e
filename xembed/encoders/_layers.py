"""The embeddings of all layers in one pass, and encoders that end at an earlier block."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xembed._core.progress import showing, step
from xembed._core.validation import FloatArray, check_count, check_texts
from xembed.encoders._encoder import Encoder
from xembed.encoders._encoding import counted, different_texts, longest_first
from xembed.encoders._poolings import POOLINGS, check_poolings
from xembed.encoders._warn import warn_user

if TYPE_CHECKING:
    import torch

_SAME = 1e-3  # of the largest number in a hidden state: rounding is below, a norm after the last block far above

Key = tuple[int, str]


class LayerEmbeddings(Mapping[Key, FloatArray]):
    """The embeddings of some texts by layer and pooling; `encode_layers` makes them.

    A mapping of ``(layer, pooling)`` to an array of shape (n_texts, n_dims), float32.

    Attributes
    ----------
    layers : tuple of int
        Numbers of the layers: 0 is the output of the embedding layer, ``n`` that of the n-th block.
    poolings : tuple of str
        Names of the poolings.
    n_blocks : int
        Number of blocks of the model.
    n_texts : int
        Number of rows of each array.
    n_truncated : int
        Number of texts that are longer than the encoder reads.
    warnings : tuple of str
        What the encoder does not read (see `Encoding.warnings`).
    """

    def __init__(
        self, arrays: Mapping[Key, FloatArray], *, n_blocks: int, n_truncated: int = 0, warnings: Sequence[str] = ()
    ) -> None:
        self._arrays = dict(arrays)
        self.layers = tuple(dict.fromkeys(layer for layer, _ in self._arrays))
        self.poolings = tuple(dict.fromkeys(pooling for _, pooling in self._arrays))
        self.n_blocks = n_blocks
        self.n_texts = len(next(iter(self._arrays.values())))
        self.n_truncated = n_truncated
        self.warnings = tuple(warnings)

    def __getitem__(self, key: Key) -> FloatArray:
        return self._arrays[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"LayerEmbeddings(layers={self.layers}, poolings={self.poolings}, n_texts={self.n_texts})"


def encode_layers(
    encoder: Encoder,
    texts: Iterable[str],
    *,
    poolings: str | Sequence[str] = ("mean",),
    layers: Sequence[int] | None = None,
    batch_size: int = 32,
    progress: bool | None = None,
) -> LayerEmbeddings:
    """Return the embeddings of all layers of a model, with one forward pass for all of them.

    Each array is what ``load_encoder(..., layer=layer, pooling=pooling, normalize=False).encode(texts)`` gives, up to
    rounding. The cache is not used.

    Parameters
    ----------
    encoder : Encoder
        Made of a transformer. Which layer and pooling it is set to has no influence.
    texts : iterable of str
        The texts, none of them blank. Equal ones are encoded once.
    poolings : str or sequence of {'mean', 'cls', 'max', 'last_token', 'weighted_mean'}, default=('mean',)
        Names in `POOLINGS`: how token embeddings become one embedding.
    layers : sequence of int, optional
        Numbers of layers: 0 is the output of the embedding layer, ``n`` that of the n-th block; negative numbers count
        from the end. By default all.
    batch_size : int, default=32
        Number of texts that the model reads at once.
    progress : bool, optional
        Whether to show a progress bar on stderr. By default only if that is a terminal.

    Returns
    -------
    LayerEmbeddings
        A mapping of ``(layer, pooling)``, layers counted from 0, to an array of shape (n_texts, n_dims), float32.
        Rows are not brought to unit length.

    Raises
    ------
    TypeError, ValueError
        If ``encoder`` is no `Encoder` of a transformer that gives the outputs of its layers, there is no such layer or
        pooling, or a text is blank or no string.
    RuntimeError
        If embeddings are not finite, as float16 weights may give.

    Warns
    -----
    UserWarning
        If the encoder does not read everything (see `Encoding.warnings`).

    Notes
    -----
    All blocks are computed: for low layers `truncate` the encoder first.

    Examples
    --------
    >>> import xembed
    >>> from xembed.encoders import encode_layers
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> found = encode_layers(encoder, ["A cat sleeps."], poolings=("mean", "cls"))
    >>> found.layers
    (0, 1, 2, 3, 4, 5, 6)
    >>> found[3, "cls"].shape
    (1, 384)
    """
    caller = "encode_layers"
    transformer = require_transformer(encoder, caller=caller)
    checked = check_texts(texts)
    names = check_poolings(poolings, caller=caller)
    batch_size = check_count(batch_size, name="batch_size", caller=caller)
    bars = showing(progress, caller=caller)

    import torch

    from xembed.encoders import _pipeline

    unique, inverse = different_texts(checked)
    counts = _pipeline.count_tokens(encoder.model, unique)
    limit = encoder.max_length
    rows = longest_first(counts[:, 0], limit)
    arrays: dict[Key, FloatArray] = {}
    bar = step("Encoding layers", len(unique), "text")
    with bars, bar as advance, torch.inference_mode(), _with_hidden_states(transformer):
        n_states = len(_states(encoder, unique[:1], caller=caller)[0])
        indices = _check_layers(layers, n_states, caller=caller)
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            of_batch = [unique[i] for i in batch]
            states, features = _states(encoder, of_batch, caller=caller)
            for layer in indices:
                for name in names:
                    vectors = _pool(states[layer], features, POOLINGS[name].mode, encoder)
                    encoder._check_finite(vectors, of_batch)
                    # Layers may differ in width, so arrays are made when the first rows are known.
                    shape = (len(unique), vectors.shape[1])
                    arrays.setdefault((layer, name), np.empty(shape, np.float32))[batch] = vectors
            advance(len(batch))
    nothing = np.empty((len(checked), 0), np.float32)
    encoding = counted(nothing, checked, counts[inverse], n_unique=len(unique), n_cached=0, limit=limit)
    if unread := encoding.warnings():
        warn_user(" ".join(unread))
    if len(unique) < len(checked):
        arrays = {key: array[inverse] for key, array in arrays.items()}
    return LayerEmbeddings(arrays, n_blocks=n_states - 1, n_truncated=encoding.n_truncated or 0, warnings=unread)


def truncate(encoder: Encoder, n_layers: int) -> Encoder:
    """Return a copy of an encoder that ends after its first blocks.

    Parameters
    ----------
    encoder : Encoder
        Made of a transformer with separate blocks one after the other, as BERT, RoBERTa, DistilBERT and MPNet. It is
        not changed, and shares no weights with the copy.
    n_layers : int
        Number of blocks that stay, at least 1 and at most those that there are.

    Returns
    -------
    Encoder
        It gives what ``load_encoder(..., layer=n_layers)`` with the same pooling gives or, if the encoder is set to a
        layer that stays, what it gave. Modules that follow the pooling, such as Dense, go as they do there.

    Raises
    ------
    TypeError, ValueError
        If ``encoder`` is no `Encoder` of such blocks, there are not so many, or it is set to a layer above them.

    Examples
    --------
    >>> import xembed
    >>> from xembed.encoders import truncate
    >>> encoder = xembed.load_encoder(device="cpu")
    >>> short = truncate(encoder, 3)
    >>> short.encode(["A cat sleeps."], cache=False).shape
    (1, 384)
    >>> sum(p.numel() for p in short.model.parameters()) < sum(p.numel() for p in encoder.model.parameters())
    True
    """
    caller = "truncate"
    transformer = require_transformer(encoder, caller=caller)
    n_layers = check_count(n_layers, name="n_layers", caller=caller)
    n_blocks = len(_find_blocks(transformer, caller=caller))
    if n_layers > n_blocks:
        raise ValueError(
            f"The 'n_layers' parameter of {caller} must be at most {n_blocks}, the number of the model's blocks. "
            f"Got {n_layers} instead."
        )

    import torch

    from xembed.encoders import _pipeline

    layer = _pipeline.find_layer(encoder.model)
    if layer > n_layers:
        raise ValueError(
            f"The 'n_layers' parameter of {caller} must be at least {layer}, the layer that the encoder is set to. "
            f"Got {n_layers} instead."
        )
    model: Any = copy.deepcopy(encoder.model)
    if n_layers < n_blocks:
        first = model[0]
        blocks = _find_blocks(first, caller=caller)
        del blocks[n_layers:]
        first.auto_model.config.num_hidden_layers = n_layers
        if layer == -1:
            # The pooling, of the layer that is now the last, without what was trained for the model's own output.
            own = _pipeline.find_pooling(model)
            pooling = own if own in POOLINGS else None
            model = _pipeline.customize(
                model, layer=-1, pooling=pooling, normalize=None, max_length=None, caller=caller
            )
    short = Encoder(
        model.eval(),
        name=encoder.name if n_layers == n_blocks else f"{encoder.name} (first {n_layers} blocks)",
        revision=encoder.revision,
        normalize=encoder._normalize,
    )
    with torch.inference_mode(), _with_hidden_states(transformer), _with_hidden_states(short.model[0]):
        expected = _states(encoder, ["a test"], caller=caller)[0][n_layers]
        states = _states(short, ["a test"], caller=caller)[0][-1]
    if states.shape != expected.shape or (states - expected).abs().max() > _SAME * expected.abs().max():
        raise ValueError(
            f"The 'encoder' parameter of {caller} must be made of blocks whose outputs are those of the layers. This "
            f"{type(transformer.auto_model).__name__} computes more after its last block: use "
            f"load_encoder(..., layer={n_layers})."
        )
    return short


def _check_layers(layers: Any, n_states: int, *, caller: str) -> list[int]:
    """Return the layers counted from 0, each once."""
    if layers is None:
        return list(range(n_states))
    if isinstance(layers, str | bytes) or not isinstance(layers, Iterable):
        raise TypeError(f"The 'layers' parameter of {caller} must be a list of integers. Got {layers!r:.60} instead.")
    indices = list(layers)
    if not indices:
        raise ValueError(f"The 'layers' parameter of {caller} must hold at least one layer. Got none.")
    for layer in indices:
        is_integer = isinstance(layer, int | np.integer) and not isinstance(layer, bool)
        if not is_integer or not -n_states <= layer < n_states:
            raise (ValueError if is_integer else TypeError)(
                f"The 'layers' parameter of {caller} must hold integers in [{-n_states}, {n_states - 1}]: the model "
                f"has {n_states - 1} blocks, and 0 is the output of its embedding layer. Got {layer!r:.60} instead."
            )
    return list(dict.fromkeys(int(layer) % n_states for layer in indices))


def require_transformer(encoder: Any, *, caller: str) -> Any:
    """Return the transformer of an `Encoder`."""
    if not isinstance(encoder, Encoder):
        raise TypeError(
            f"The 'encoder' parameter of {caller} must be an Encoder made of a transformer, such as "
            f"xembed.load_encoder() gives. Got {encoder!r:.60} instead."
        )
    from sentence_transformers.base.modules import Transformer

    first: Any = encoder.model[0]
    if not isinstance(first, Transformer) or first.module_output_name != "token_embeddings":
        raise ValueError(
            f"The 'encoder' parameter of {caller} must be made of a transformer that gives token embeddings. Got one "
            f"made of {type(first).__name__}."
        )
    return first


def _find_blocks(transformer: Any, *, caller: str) -> Any:
    """Return the list of blocks, by its length and by all of them being of one kind."""
    import torch

    model = transformer.auto_model
    count = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    lists = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.ModuleList)
        and len(module) == count
        and len({type(block) for block in module}) == 1
        and all(any(True for _ in block.parameters()) for block in module)
    ]
    # A list inside a block, of heads or experts, may be as long as that of the blocks.
    inside = {id(part) for blocks in lists for block in blocks for part in block.modules()}
    lists = [blocks for blocks in lists if id(blocks) not in inside]
    if len(lists) != 1:
        raise ValueError(
            f"The 'encoder' parameter of {caller} must be made of a transformer with separate blocks, as BERT and "
            f"RoBERTa. Got {type(model).__name__}, in which {'none were' if not lists else 'several lists were'} found."
        )
    return lists[0]


@contextlib.contextmanager
def _with_hidden_states(transformer: Any) -> Iterator[None]:
    """Let the model give the outputs of its layers for a while; the encoder is as before afterwards."""
    config = transformer.auto_model.config
    before = config.output_hidden_states
    config.output_hidden_states = True
    try:
        yield
    finally:
        config.output_hidden_states = before


def _states(encoder: Encoder, texts: list[str], *, caller: str) -> tuple[Sequence[torch.Tensor], dict[str, Any]]:
    """Return the outputs of all layers for a batch, and what the pooling needs besides."""
    from xembed.encoders._pipeline import features_of

    model: Any = encoder.model
    features = model[0].eval()(features_of(model, texts))
    states = features.pop("all_layer_embeddings", None)
    if states is None:
        raise ValueError(
            f"The 'encoder' parameter of {caller} must be made of a model that gives the outputs of its layers. "
            f"{type(model[0].auto_model).__name__} does not."
        )
    return states, features


def _pool(state: torch.Tensor, features: dict[str, Any], mode: str, encoder: Encoder) -> FloatArray:
    from xembed.encoders._pipeline import pooling_like

    pooling = pooling_like(encoder.model, state.shape[-1], mode)
    pooled = pooling({**features, "token_embeddings": state})["sentence_embedding"]
    vectors: FloatArray = pooled.float().cpu().numpy()
    return vectors
