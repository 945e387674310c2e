"""What everything that trains or runs a model needs: generators of its own, and a fingerprint of weights."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@contextlib.contextmanager
def own_randomness(device: str, seed: int) -> Iterator[None]:
    """Seed the generators that dropout draws from, and leave them as they were found."""
    generators = global_generators(device)
    before = [generator.get_state() for generator in generators]
    try:
        for generator in generators:
            generator.manual_seed(seed)
        yield
    finally:
        for generator, state in zip(generators, before, strict=True):
            generator.set_state(state)


def global_generators(device: str) -> list[torch.Generator]:
    """Return the global generators that a model on this device draws from."""
    import torch

    place = torch.device(device)
    generators = [torch.default_generator]
    if place.type == "cuda":
        index = torch.cuda.current_device() if place.index is None else place.index
        generators.append(torch.cuda.default_generators[index])
    elif place.type == "mps":
        generators.append(torch.mps._get_default_mps_generator())
    return generators


def digest_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes."""
    digest = hashlib.sha256()
    update_digest(digest, tensors)
    return digest.hexdigest()


def update_digest(digest: hashlib._Hash, tensors: Mapping[str, torch.Tensor]) -> None:
    """Add names, types, shapes and bytes to a hash."""
    import torch

    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        # As bytes, because NumPy has no bfloat16.
        digest.update(tensor.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy().data)
