"""Which parts of a model are trained: the schemes of the benchmark."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from xembed._core.validation import check_option

if TYPE_CHECKING:
    import torch

_PARTS = ("embeddings", "blocks", "head")


class Recipe(NamedTuple):
    """How a model is trained.

    Attributes
    ----------
    epochs, batch_size : int
        Numbers of passes over the data, and of rows a step.
    learning_rate : float
        Maximum, reached after the warm-up.
    weight_decay : float
        Weight decay of AdamW, decoupled from the gradient.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Scheme:
    """Which parts of a model are trained, and how.

    Attributes
    ----------
    name : str
        Key in `SCHEMES`.
    description : str
        Description in words.
    parts : tuple of str
        Parts that are trained, of 'embeddings', 'blocks' and 'head'. The blocks are all of the pretrained model but its
        embeddings, so BERT's pooler is one of them, as in the paper [1]_.
    fresh_embeddings : bool
        Whether the embeddings are drawn anew before the training.
    pretrained : bool
        Whether it begins with a pretrained model.
    recipe : Recipe or None
        Default of `train`, selected by measurement to reach the published accuracy in few epochs.
    published : Recipe or None
        Recipe of the paper [1]_. Its rates hold for BERT-base, its code clips gradients after the step, never turns
        dropout on and, for CEf, never trains the head; none of that is repeated here.

    References
    ----------
    .. [1] R. Wilming et al. (2024). "GECOBench". https://arxiv.org/abs/2406.11547
    """

    name: str
    description: str
    parts: tuple[str, ...]
    recipe: Recipe | None
    published: Recipe | None
    fresh_embeddings: bool = False
    pretrained: bool = True


_TABLE = (
    Scheme("C", "the head alone, on a frozen encoder", ("head",), Recipe(20, 32, 1e-2), Recipe(20, 32, 1e-2)),
    Scheme(
        "CE", "head and embeddings, the embeddings from scratch", ("embeddings", "head"),
        Recipe(3, 32, 1e-3), Recipe(20, 32, 1e-4), fresh_embeddings=True,
    ),
    Scheme(
        "CEf", "head and embeddings, the embeddings fine-tuned", ("embeddings", "head"),
        Recipe(3, 32, 1e-3), Recipe(20, 32, 1e-2),
    ),
    Scheme("CEfAf", "all of the model, fine-tuned", _PARTS, Recipe(3, 32, 5e-5), Recipe(20, 32, 5e-6)),
    Scheme(
        "OLA", "one layer of attention, all from scratch", _PARTS,
        Recipe(10, 64, 1e-2, 0.1), Recipe(200, 64, 1e-2, 0.1), pretrained=False,
    ),
    Scheme("ZS", "nothing: a masked language model fills in a prompt (zero-shot)", (), None, None),
)  # fmt: skip
SCHEMES: Mapping[str, Scheme] = types.MappingProxyType({scheme.name: scheme for scheme in _TABLE})


def find_scheme(scheme: Any, *, caller: str) -> Scheme:
    """Return a scheme by its name."""
    known = isinstance(scheme, Scheme)
    return scheme if known else SCHEMES[check_option(scheme, SCHEMES, name="scheme", caller=caller)]


def trainable_parameters(model: torch.nn.Module, scheme: str | Scheme) -> frozenset[str]:
    """Return the names of the parameters that a scheme trains.

    Parameters
    ----------
    model : transformers.PreTrainedModel or OneLayerAttention
        A sequence classifier.
    scheme : str or Scheme
        Name in `SCHEMES`.

    Returns
    -------
    frozenset of str
        Names as in ``model.named_parameters()``. The head is what is outside of ``model.base_model``. The embeddings
        are the whole block: words, positions, types and LayerNorm.

    Raises
    ------
    ValueError
        If there is no such scheme, the model has no head or no embedding block, or the scheme is for another model.

    Examples
    --------
    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> from xembed.geco import trainable_parameters
    >>> config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    >>> sorted(trainable_parameters(BertForSequenceClassification(config), "C"))
    ['classifier.bias', 'classifier.weight']
    """
    from xembed.geco._one_layer import OneLayerAttention

    caller = "trainable_parameters"
    scheme = find_scheme(scheme, caller=caller)
    if scheme.pretrained == isinstance(model, OneLayerAttention):
        needed = "a pretrained classifier (see make_classifier)" if scheme.pretrained else "a OneLayerAttention"
        raise ValueError(f"The scheme {scheme.name!r} is for {needed}. Got {type(model).__name__} instead.")
    names = frozenset(name for name, _ in model.named_parameters())
    if not scheme.pretrained:
        return names
    groups = _groups(model, names, caller=caller)
    return frozenset[str]().union(*(groups[part] for part in scheme.parts))


def parts_of(model: torch.nn.Module, scheme: Scheme) -> list[torch.nn.Module]:
    """Return the modules that a scheme trains, without those inside of others."""
    from xembed.geco._one_layer import OneLayerAttention

    if isinstance(model, OneLayerAttention) or set(scheme.parts) == set(_PARTS):
        return [model]
    base, _ = base_of(model, caller="train")
    modules: list[torch.nn.Module] = []
    if "head" in scheme.parts:
        modules += [child for child in model.children() if child is not base]
    if "embeddings" in scheme.parts:
        modules += embedding_modules(base).values()
    return modules


def base_of(model: Any, *, caller: str) -> tuple[torch.nn.Module, str]:
    """Return the pretrained model in a classifier, and the beginning of its parameters' names."""
    import torch

    prefix = getattr(model, "base_model_prefix", "")
    base = getattr(model, prefix, None) if prefix else None
    if not isinstance(base, torch.nn.Module):
        raise ValueError(
            f"The model of {caller} must be a classifier: a pretrained model and a head. Got {type(model).__name__}, "
            "which has no head: see make_classifier."
        )
    return base, f"{prefix}."


def embedding_modules(base: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Return the embedding block by its name in the base model, or the tables where there is no such block."""
    from torch.nn import Embedding

    children = dict(base.named_children())
    block = children.get("embeddings")
    if block is not None and not isinstance(block, Embedding):
        return {"embeddings": block}
    return {name: child for name, child in children.items() if isinstance(child, Embedding)}


def head_names(model: torch.nn.Module, *, caller: str) -> frozenset[str]:
    """Return the names of the parameters of the head."""
    from xembed.geco._one_layer import OneLayerAttention

    if isinstance(model, OneLayerAttention):
        return frozenset(name for name, _ in model.named_parameters() if name.startswith("classifier."))
    return _groups(model, frozenset(name for name, _ in model.named_parameters()), caller=caller)["head"]


def _groups(model: torch.nn.Module, names: frozenset[str], *, caller: str) -> dict[str, frozenset[str]]:
    base, prefix = base_of(model, caller=caller)
    blocks = tuple(f"{prefix}{name}." for name in embedding_modules(base))
    head = frozenset(name for name in names if not name.startswith(prefix))
    embeddings = frozenset(name for name in names if blocks and name.startswith(blocks))
    if not head:
        raise ValueError(
            f"The model of {caller} must have a head with parameters. Got {type(model).__name__} without one: see "
            "make_classifier."
        )
    if not embeddings:
        raise ValueError(
            f"The model of {caller} must have its embeddings in a block of their own. None was found in "
            f"{type(model).__name__}."
        )
    return {"head": head, "embeddings": embeddings, "blocks": names - head - embeddings}
