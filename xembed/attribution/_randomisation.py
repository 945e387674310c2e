"""Whether an explanation depends on what the model has learned: a comparison with a model of random weights."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xembed._core.validation import check_count, check_option
from xembed.attribution._pair_shapley import spearman
from xembed.attribution._scored_model import own_random_state

if TYPE_CHECKING:
    import torch

PARTS = ("all", "encoder", "head")
# How transformers name the modules of a head; for modules that have no base model to tell them apart by.
_HEADS = ("classifier", "score", "classification_head")
# What transformers flags as loaded from a file, and then does not initialize again.
_FLAG = "_is_hf_initialized"
_SPREAD = 0.02


def randomise(module: torch.nn.Module, part: str, *, seed: int) -> torch.nn.Module:
    """Return a copy of a classifier whose weights, or a part of them, are drawn anew [1]_.

    Weights are drawn as the model draws them before training: by the ``_init_weights`` of a model of transformers,
    otherwise by the ``reset_parameters`` of its modules. Parameters that neither of them touches are drawn from a
    normal distribution of standard deviation 0.02.

    Parameters
    ----------
    module : torch.nn.Module
        A classifier of transformers, or a module that calls its head ``classifier`` or ``score``.
    part : {'head', 'encoder', 'all'}
        Part that is drawn anew: what is not in the base model, the base model with its embeddings and pooler, or both.
    seed : int
        Seed of the weights. The global generators stay as they are.

    Returns
    -------
    torch.nn.Module
        A copy, in the same mode and on the same device.

    Raises
    ------
    ValueError
        If the module has no such part with parameters, or ``part`` is unknown.
    TypeError
        If ``module`` is not a module, or the seed not an integer.

    References
    ----------
    .. [1] J. Adebayo et al. "Sanity Checks for Saliency Maps". NeurIPS 2018.

    Examples
    --------
    >>> import torch
    >>> import xembed
    >>> from xembed.geco import make_one_layer
    >>> model = make_one_layer(xembed.load_encoder(device="cpu").model.tokenizer, 2)
    >>> other = randomise(model, "head", seed=1)
    >>> torch.equal(other.classifier.weight, model.classifier.weight), torch.equal(other.key.weight, model.key.weight)
    (False, True)
    """
    import torch

    caller = "randomise"
    check_option(part, PARTS, name="part", caller=caller)
    start = check_count(seed, name="seed", caller=caller, low=0)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"The module of {caller} must be a torch.nn.Module. Got {type(module).__name__} instead.")
    random = copy.deepcopy(module)
    wanted = _parameters_of(random, part, caller=caller)
    device = next(iter(wanted.values())).device
    with own_random_state(start, device), torch.no_grad(), _unflagged(random):
        _draw(random, wanted)
    return random


def _parameters_of(module: torch.nn.Module, part: str, *, caller: str) -> dict[str, torch.nn.Parameter]:
    import torch

    names = [name for name, _ in module.named_parameters()]
    prefix = getattr(module, "base_model_prefix", "")
    if prefix and isinstance(getattr(module, prefix, None), torch.nn.Module):
        head = {name for name in names if not name.startswith(f"{prefix}.")}
    else:
        head = {name for name in names if name.split(".")[0] in _HEADS}
    wanted = {"all": {*names}, "head": head, "encoder": {*names} - head}[part]
    if not wanted or (part != "all" and not head):
        raise ValueError(
            f"The module of {caller} must have a part {part!r} with parameters. Got {type(module).__name__}, in which "
            f"{'no head was found' if not head else 'everything is the head'}: use part='all'."
        )
    return {name: parameter for name, parameter in module.named_parameters() if name in wanted}


@contextlib.contextmanager
def _unflagged(module: torch.nn.Module) -> Iterator[None]:
    """Let transformers initialize what it loaded, and put its flags back."""
    flagged: list[Any] = [
        thing for thing in (*module.modules(), *module.parameters(), *module.buffers()) if hasattr(thing, _FLAG)
    ]
    before = [getattr(thing, _FLAG) for thing in flagged]
    try:
        for thing in flagged:
            delattr(thing, _FLAG)
        yield
    finally:
        for thing, flag in zip(flagged, before, strict=True):
            setattr(thing, _FLAG, flag)


def _draw(module: torch.nn.Module, wanted: dict[str, torch.nn.Parameter]) -> None:
    ours = {id(parameter) for parameter in wanted.values()}
    others = {id(p): (p, p.clone()) for p in module.parameters() if id(p) not in ours}
    versions = {name: parameter._version for name, parameter in wanted.items()}
    initialize: Any = getattr(module, "_init_weights", None)
    for child in module.modules():
        own = [parameter for parameter in child.parameters(recurse=False) if id(parameter) in ours]
        if not own:
            continue
        reset: Any = getattr(child, "reset_parameters", None) or getattr(child, "_reset_parameters", None)
        if callable(initialize):
            initialize(child)
        elif callable(reset):
            reset()
    for name, parameter in wanted.items():
        if parameter._version == versions[name]:
            parameter.normal_(0.0, _SPREAD)
    # A module may set its children too.
    for parameter, before in others.values():
        parameter.copy_(before)


def randomisation_similarity(trained: Sequence[npt.ArrayLike], random: Sequence[npt.ArrayLike]) -> np.ndarray:
    """Return the rank correlation of absolute attributions for the trained and for a randomised model.

    Parameters
    ----------
    trained, random : sequence of ndarray of shape (n_words,)
        Attributions of the same rows.

    Returns
    -------
    ndarray of shape (n_rows,), float64
        Spearman's rho: 1 for a method that does not depend on the weights. NaN where either side is constant or of one
        word.

    Raises
    ------
    ValueError
        If numbers of rows or words differ, or a value is not finite.

    Examples
    --------
    >>> randomisation_similarity([[0.1, -0.5, 0.2], [1.0, 2.0]], [[1, 3, 2], [2, 1]]).tolist()
    [1.0, -1.0]
    """
    if len(trained) != len(random):
        raise ValueError(
            f"randomisation_similarity must have attributions of both models for each row. Got {len(trained)} and "
            f"{len(random)}."
        )
    rho = np.full(len(trained), math.nan)
    for row, given in enumerate(zip(trained, random, strict=True)):
        a, b = (np.abs(np.asarray(values, dtype=np.float64)) for values in given)
        if a.ndim != 1 or a.shape != b.shape:
            raise ValueError(
                f"The attributions of row {row} of randomisation_similarity must have as many words for both models. "
                f"Got the shapes {a.shape} and {b.shape}."
            )
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise ValueError(f"The attributions of row {row} of randomisation_similarity must be finite.")
        if len(a):
            rho[row] = spearman(a, b)
    return rho
