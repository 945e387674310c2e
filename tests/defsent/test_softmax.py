"""The chunked softmax against PyTorch's own, its memory, the sampled one, and ranks."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from xembed.defsent._softmax import cross_entropy, losses_and_ranks, sampled_cross_entropy


def make(batch, n_entries, dims, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    h = scale * torch.randn(batch, dims, generator=generator, dtype=torch.float64)
    W = torch.randn(n_entries, dims, generator=generator, dtype=torch.float64)
    return h.requires_grad_(True), W, torch.randint(n_entries, (batch,), generator=generator)


@settings(max_examples=50, deadline=None)
@given(
    batch=st.integers(1, 6),
    n_entries=st.integers(2, 30),
    dims=st.integers(1, 8),
    chunk=st.integers(1, 40),
    scale=st.sampled_from([1e-3, 1.0, 300.0]),
    seed=st.integers(0, 100),
)
def test_chunks_change_nothing(batch, n_entries, dims, chunk, scale, seed):
    h, W, targets = make(batch, n_entries, dims, seed, scale)
    loss = cross_entropy(h, W, targets, chunk=chunk)
    (gradient,) = torch.autograd.grad(3 * loss, h)
    expected = torch.nn.functional.cross_entropy(h @ W.T, targets)
    (expected_gradient,) = torch.autograd.grad(3 * expected, h)
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-10, atol=1e-10)


def test_gradients_numerically():
    h, W, targets = make(3, 7, 4)
    assert torch.autograd.gradcheck(lambda x: cross_entropy(x, W, targets, chunk=3), (h,))


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes anew."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        known = {a.untyped_storage().data_ptr() for a in args if isinstance(a, torch.Tensor)}
        for tensor in found if isinstance(found, tuple | list) else [found]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in known:
                self.elements = max(self.elements, tensor.numel())
        return found


def test_a_hundred_thousand_entries_fit_in_one_chunk_of_memory():
    h = torch.randn(32, 16, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    W = torch.randn(100_000, 16, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(32) * 3000
    with Largest() as chunked:
        loss = cross_entropy(h, W, targets, chunk=4096)
        loss.backward()
    assert chunked.elements == 32 * 4096
    with Largest() as whole:
        expected = torch.nn.functional.cross_entropy(h.detach() @ W.T, targets)
    assert whole.elements == 32 * 100_000
    torch.testing.assert_close(loss.detach(), expected)


def test_sampling_all_entries_is_exact():
    h, W, targets = make(5, 20, 4)
    found = sampled_cross_entropy(h, W, targets, n_sampled=20, generator=torch.Generator())
    torch.testing.assert_close(found, cross_entropy(h, W, targets, chunk=7), rtol=1e-12, atol=1e-12)


def test_the_sampled_sum_is_unbiased():
    h, W, targets = make(2, 30, 3, scale=0.5)
    generator = torch.Generator().manual_seed(0)
    right = (h * W[targets]).sum(dim=1).detach()
    ratios = []
    for _ in range(3000):  # of one row at a time: exp(loss) is the sum over the right one's term
        loss = sampled_cross_entropy(h[:1].detach(), W, targets[:1], n_sampled=6, generator=generator)
        ratios.append(math.exp(loss))
    expected = (torch.logsumexp(h.detach() @ W.T, dim=1) - right)[0].exp()
    ratios = torch.tensor(ratios)
    assert abs(ratios.mean() - expected) < 4 * ratios.std() / math.sqrt(len(ratios))
    assert ratios.std() > 0.05


def test_a_row_that_draws_only_its_own_entry_has_no_loss():
    h, W, targets = make(1, 2, 3)
    losses = [
        sampled_cross_entropy(h, W, targets, n_sampled=1, generator=torch.Generator().manual_seed(i)) for i in range(8)
    ]
    assert any(float(loss.detach()) == 0.0 for loss in losses) and any(float(loss.detach()) > 0 for loss in losses)
    assert all(torch.isfinite(torch.autograd.grad(loss, h)[0]).all() for loss in losses)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_losses_and_ranks(chunk):
    h, W, targets = make(6, 11, 4)
    losses, ranks = losses_and_ranks(h.detach(), W, targets, chunk=chunk)
    logits = h.detach() @ W.T
    torch.testing.assert_close(losses, torch.nn.functional.cross_entropy(logits, targets, reduction="none"))
    order = logits.argsort(dim=1, descending=True)
    assert ranks.tolist() == [order[i].tolist().index(int(t)) + 1 for i, t in enumerate(targets)]


def test_ties_count_against_the_right_entry():
    _, ranks = losses_and_ranks(torch.ones(1, 2), torch.ones(5, 2), torch.tensor([2]), chunk=2)
    assert ranks.tolist() == [5]
