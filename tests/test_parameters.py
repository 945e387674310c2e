"""Numbers, flags and options of public functions, given what they can't be: one error that names them, before work."""

import functools
import importlib
import inspect
import math

import numpy as np
import pytest

from tests.models import definitions, save_tiny, small_pairs, tiny_bert, tiny_tokenizer
from xembed.datasets import STSPairs, write_table
from xembed.defsent import DefSent, DefSentPlus
from xembed.depth import TTEDepth
from xembed.encoders import load_encoder
from xembed.geco import Benchmark
from xembed.shift import rank_sum_test
from xembed.transforms import AllButTheTop, ClusterIsotropy, ICAProjection, Whitening

PACKAGES = ("datasets", "depth", "encoders", "attribution", "concepts", "geco", "isotropy", "reports", "shift", "stats")
X, Y = np.random.default_rng(0).normal(1.0, 1.0, (2, 40, 6))
TEXTS = [f"text {i} of {('rain', 'snow', 'tea', 'sea')[i % 4]}" for i in range(40)]
# What a parameter can't be, by its type; -1 but for those named below.
WRONG = {
    "bool": (math.nan, math.inf, -1, 1, "x", []),
    "int": (math.nan, math.inf, -1, 2.5, True, "x", []),
    "float": (math.nan, math.inf, -math.inf, -1, True, "x", []),
    "str": (math.nan, math.inf, -1, True, []),
    "RNG": (math.nan, math.inf, -1, True, "x", []),
}
MAY_BE_NEGATIVE = {"layer", "seed"}
# Not looked at: what is not there without another argument, and functions that need a model of masked words.
LEFT_OUT = {("load_dictionary", "encoding"), ("fetch_geco", None), ("pseudo_log_likelihood", None), ("zero_shot", None)}
LEFT_OUT |= {("DefSentPlus", "template"), ("make_pairs", "name"), ("read_embeddings", "name")}
LEFT_OUT |= {("Benchmark", "reference_mode")}  # which is no longer part of it


class Never:
    def encode(self, texts):
        raise AssertionError("encoded before everything was checked")


@functools.cache
def values():
    """Return what is required, by the name of the parameter, or by those of the function and the parameter."""
    pairs, third = small_pairs(), 40 // 3
    named = {
        "embeddings": np.ones((80, 6)),
        "labels": ["a", "b"] * 20,
        "times": np.arange(40),
        "corpora": {"a": X, "b": Y},
    }
    named |= {"X": X, "Y": Y, "F": X, "G": Y, "source": X, "values": X[:, 0], "values_a": X[:, 0], "values_b": Y[:, 0]}
    named |= {"texts": TEXTS, "fit_texts": TEXTS, "texts_F": TEXTS[:20], "texts_G": TEXTS[20:], "sentences": TEXTS}
    named |= {"texts_a": TEXTS[:20], "texts_b": TEXTS[20:], "text_a": "the red tea", "text_b": "tea is red"}
    named |= {"encoder": Never(), "encoder_or_embeddings": Never(), "model": tiny_bert(), "module": tiny_bert()}
    named |= {
        "tokenizer": tiny_tokenizer(),
        "data": pairs,
        "clusters": np.arange(40) // 4,
        "n_classes": 2,
        "scheme": "C",
    }
    named |= {"pairs": STSPairs("pairs", TEXTS[:third], TEXTS[third : 2 * third], list(range(third)))}
    named |= {"attributions": [[0.5, 0.1, 0.2]], "ground_truth": [[1, 0, 0]], "pvalues": [0.1, 0.2], "metric": "auroc"}
    named |= {"probabilities": np.full((80, 2), 0.5), "k": 5, "reference": 10, "window": 10, "part": "all", "seed": 0}
    named |= {
        "columns": {"text": ["a"]},
        "backbone": None,
        "n_layers": 1,
        "first_words": [["a"]],
        "second_words": [["b"]],
    }
    return named | {"targets": [0], "rows": [], "pair": None}


def functions():
    for package in PACKAGES:
        module = importlib.import_module(f"xembed.{package}")
        for name in module.__all__:
            function = getattr(module, name)
            if inspect.isfunction(function) and function.__module__.startswith(f"xembed.{package}"):
                yield function


def kinds(function):
    """Return the type of each parameter that has a default and is a number, a flag or an option."""
    parameters = inspect.signature(function).parameters.items()
    known = {name: p.annotation.removesuffix(" | None") for name, p in parameters if p.default is not p.empty}
    return {name: kind for name, kind in known.items() if kind in WRONG}


CASES = [
    pytest.param(function, name, kind, id=f"{function.__name__}-{name}")
    for function in functions()
    for name, kind in kinds(function).items()
    if not LEFT_OUT & {(function.__name__, name), (function.__name__, None)}
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return what is required of functions that read, write or use a transformer."""
    folder = tmp_path_factory.mktemp("files")
    write_table(folder / "texts.csv", {"text": TEXTS, "sentence1": TEXTS, "sentence2": TEXTS, "score": [1.0] * 40})
    write_table(folder / "vectors.jsonl", {"vector": X.tolist()})
    result = rank_sum_test(X, Y)
    written = {"result": result, "results": [result, result], "old": result, "new": result, "data": result.to_dict()}
    transformer = {"encoder": load_encoder(save_tiny(folder / "model"), device="cpu")}
    return {
        **{name: {"path": folder / "texts.csv"} for name in ("read_texts", "load_sts", "load_dictionary")},
        **{name: {"path": folder / "vectors.jsonl"} for name in ("read_columns", "read_embeddings")},
        **{
            name: written | {"path": folder / "a.html"}
            for name in ("write_report", "write_combined", "write_comparison")
        },
        **{name: written for name in ("render_page", "render_markdown")},
        **{name: transformer for name in ("encode_layers", "layer_profile")},
        "check_report_path": {"path": folder / "a.html"},
        "write_table": {"path": folder / "b.csv"},
        "load_geco": {"path": folder},
        "load_model": {"folder": folder},
        "load_encoder": {"model": folder / "model"},
        "explain": {"tokenizer": tiny_tokenizer()},
    }


@pytest.mark.parametrize(("function", "name", "kind"), CASES)
def test_what_a_parameter_cannot_be_is_refused_by_its_name(function, name, kind, files):
    arguments = files.get(function.__name__, {})
    signature = inspect.signature(function)
    needed = {n: values().get(n) for n, p in signature.parameters.items() if p.default is p.empty}
    needed |= {n: value for n, value in arguments.items() if n in signature.parameters}
    for wrong in WRONG[kind]:
        if wrong == -1 and name in MAY_BE_NEGATIVE:
            continue
        bound = signature.bind_partial()
        bound.arguments.update({n: v for n, v in (needed | {name: wrong}).items()})
        bound.arguments = {n: bound.arguments[n] for n in signature.parameters if n in bound.arguments}
        with pytest.raises((TypeError, ValueError), match=name):
            function(*bound.args, **bound.kwargs)


ESTIMATORS = {
    "TTEDepth": (TTEDepth, lambda made: made.fit(X)),
    "AllButTheTop": (AllButTheTop, lambda made: made.fit(X)),
    "ClusterIsotropy": (ClusterIsotropy, lambda made: made.fit(X)),
    "ICAProjection": (ICAProjection, lambda made: made.fit(X)),
    "Whitening": (Whitening, lambda made: made.fit(X)),
    "DefSent": (functools.partial(DefSent, "nowhere"), lambda made: made.fit(definitions())),
    "DefSentPlus": (DefSentPlus, lambda made: made.fit(definitions())),
    "Benchmark": (functools.partial(Benchmark, (small_pairs(), small_pairs(length=3))), lambda made: made),
}
OF_ESTIMATORS = [
    pytest.param(make, use, name, kind, id=f"{key}-{name}")
    for key, (make, use) in ESTIMATORS.items()
    for name, kind in kinds(make.func if isinstance(make, functools.partial) else make).items()
    if (key, name) not in LEFT_OUT
]


@pytest.mark.parametrize(("make", "use", "name", "kind"), OF_ESTIMATORS)
def test_estimators_refuse_them_when_made_or_fitted(make, use, name, kind):
    for wrong in WRONG[kind]:
        with pytest.raises((TypeError, ValueError), match=name):
            use(make(**{name: wrong}))
