"""Explaining against the raw rate of the model: forward and backward, and forward only, in the same run."""

import os
import time

import numpy as np
import pytest
import torch

import xembed
from xembed.attribution import ScoredModel
from xembed.attribution._integrated import integrated_gradients
from xembed.attribution._method import MethodOptions
from xembed.attribution._methods import METHODS
from xembed.datasets import load_geco, load_gendered_pairs
from xembed.geco import make_classifier, train

PUBLISHED_STEPS = 200
N = 644 if os.environ.get("XEMBED_FULL") else 60


@pytest.fixture(scope="module")
def scored():
    model, tokenizer = make_classifier(xembed.load_encoder(device="cpu"), 2)
    trained = train(model, tokenizer, load_gendered_pairs(), "C", device="cpu", progress=False)
    return ScoredModel(trained.model, trained.tokenizer, caller="a benchmark")


@pytest.fixture(scope="module")
def rows(scored, real_data):
    data = load_geco(real_data / "geco", "binary_gender_all", "test")
    return scored.words.encode(data.sentences[:N]), np.array(data.labels[:N])


def raw_rate(model, rows, *, backward):
    """Return rows a second of nothing but the model, in batches as full as those of the methods."""
    lengths = [len(row.ids) for row in rows]
    batches = [model.tensors([rows[i].ids for i in batch]) for batch in model.batches(lengths)]
    embeds = [model.embed(*batch) for batch in batches]
    began = time.perf_counter()
    with model.frozen():
        for (ids, mask), x in zip(batches, embeds, strict=True):
            if backward:
                at = x.clone().requires_grad_()
                torch.autograd.grad(model.score(at, mask)[:, 0].sum(), at)
            else:
                with torch.no_grad():
                    model.module(input_ids=ids, attention_mask=mask)
    return len(rows) / (time.perf_counter() - began)


def repeat(rows, times):
    return [row for row in rows for _ in range(times)]


def test_integrated_gradients_cost_an_eighth_and_run_at_the_raw_rate(scored, rows, benchmark):
    encoded, targets = rows
    scored.n_backward = 0
    shares = []

    def explain():
        before, began = scored.n_backward, time.perf_counter()
        output = integrated_gradients(scored, encoded, targets, MethodOptions())
        rate = (scored.n_backward - before) / (time.perf_counter() - began)
        shares.append(rate / raw_rate(scored, repeat(encoded, 25), backward=True))
        return output

    output = benchmark.pedantic(explain, rounds=1 if N > 60 else 3)
    a_sentence = scored.n_backward / len(encoded) / len(shares)
    print(
        f"\nIntegrated Gradients, {len(encoded)} sentences: {a_sentence:.1f} gradients a sentence "
        f"({PUBLISHED_STEPS / a_sentence:.1f} times fewer than {PUBLISHED_STEPS}), completeness error "
        f"{100 * output.completeness.max():.2f} % at most, {100 * np.mean(output.completeness):.2f} % on average; "
        f"{100 * np.median(shares):.0f} % of the raw rate"
    )


@pytest.mark.parametrize("name", ["occlusion", "lime", "kernel_shap", "shapley_sampling"])
def test_perturbation_methods_run_at_the_raw_rate(scored, rows, benchmark, name):
    encoded, targets = (part[:24] for part in rows)
    shares = []

    def explain():
        before, began = scored.n_forward, time.perf_counter()
        METHODS[name].run(scored, encoded, targets, MethodOptions())
        rate = (scored.n_forward - before) / (time.perf_counter() - began)
        shares.append(rate / raw_rate(scored, repeat(encoded, 40), backward=False))

    benchmark.pedantic(explain, rounds=3)
    print(f"\n{name}: {100 * np.median(shares):.0f} % of the raw rate")
