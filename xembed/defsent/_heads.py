"""What stands between the pooled vector and the entry matrix in training; it is dropped afterwards."""

from __future__ import annotations

import copy
from typing import Any

import torch

HEADS = ("identity", "linear", "orthogonal", "pooler")


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
