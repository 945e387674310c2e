"""Cases of xembed.geco, and of the reproduction of published code in docs/measurements."""

import sys
from pathlib import Path

import net_inputs as inputs
import numpy as np
from net_record import family, own_folder, variants

import xembed

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "measurements"))
import geco_reference

case = family("geco")
FEW = {"n_resamples": 100}


# ---- metrics and statistics


def _attributions():
    draw = inputs.rng(3)
    sizes = (6, 4, 9, 5)
    truth = [np.arange(n) % 3 == 0 for n in sizes]
    rows = [draw.normal(size=n) for n in sizes]
    rows[1][:] = 0.0
    rows[3] = np.round(rows[3])
    return rows, truth


@case
def metrics():
    geco, (rows, truth) = xembed.geco, _attributions()
    names = (
        "mass_accuracy", "positive_mass_accuracy", "rank_accuracy", "top_k_precision", "pointing_game", "auroc",
        "auprc",
    )  # fmt: skip
    return {
        "one by one": {name: [getattr(geco, name)(*row) for row in zip(rows, truth, strict=True)] for name in names},
        "gini": [geco.gini(row) for row in rows],
        "two": geco.top_k_precision(rows[0], truth[0], k=2),
        "rows": geco.score_rows(rows, truth),
        "some": geco.score_rows(rows, truth, metrics=["gini", "auroc"]),
        "chance": {name: [geco.chance(name, marks) for marks in truth] for name in names},
        "above chance": geco.above_chance([0.5, 0.9], [0.2, 0.2]),
        "registry": {
            name: {"label": one.label, "better": one.higher_is_better, "range": [one.low, one.high]}
            for name, one in geco.METRICS.items()
        },
    }


@case
def reference_metrics():
    rows, truth = _attributions()
    return [
        geco_reference.reference_metrics(row, marks, mass_accuracy_zero_shot=0.2)
        for row, marks in zip(rows, truth, strict=True)
    ]


@case
def statistics():
    geco, draw = xembed.geco, inputs.rng(4)
    one, other = draw.uniform(size=(2, 3, 30))
    clusters = [i // 2 for i in range(30)]
    return {
        "interval": geco.clustered_interval(one[0], clusters, **FEW),
        "seeds": geco.clustered_interval(one.ravel(), clusters * 3, seeds=np.repeat([0, 1, 2], 30), rng=2, **FEW),
        "level": geco.clustered_interval(one[0], clusters, confidence_level=0.8, **FEW),
        "difference": geco.paired_difference(one[0], other[0], clusters, **FEW),
        "difference over seeds": geco.paired_difference(
            one.ravel(), other.ravel(), clusters * 3, seeds=np.repeat([0, 1, 2], 30), rng=2, **FEW
        ),
        "holm": geco.holm([0.01, 0.04, 0.03, 0.5]),
    }


# ---- bias


@case
def paired_shift():
    pairs = inputs.paired(40)
    X = inputs.default_encoder().encode(pairs.texts)
    return {
        "default": xembed.geco.paired_shift(X, pairs, **FEW),
        "turned": xembed.geco.paired_shift(
            X, pairs, forms=("male", "female"), n_folds=3, confidence_level=0.8, rng=2, **FEW
        ),
        "unpaired": xembed.geco.paired_shift(X[1:], pairs.take(range(1, len(pairs))), **FEW),
    }


@case
def word_cooccurrence():
    pairs = xembed.datasets.load_gendered_pairs()
    result = xembed.geco.word_cooccurrence(pairs)
    return {"result": result, "frame": result.to_frame(), "small": xembed.geco.word_cooccurrence(inputs.small_pairs())}


@case
def prediction_gap():
    pairs = inputs.paired(30)
    probabilities = inputs.rng(5).dirichlet([1, 1], size=len(pairs))
    return [
        xembed.geco.prediction_gap(probabilities, pairs, **FEW),
        xembed.geco.prediction_gap(probabilities, pairs, forms=("male", "female"), confidence_level=0.8, rng=1, **FEW),
    ]


def _masked_lm():
    return xembed.geco.load_masked_lm(inputs.bert_folder("BertForMaskedLM"))


@case
def pseudo_log_likelihood():
    return [
        xembed.geco.pseudo_log_likelihood(*_masked_lm(), inputs.small_pairs(8), device="cpu", **FEW),
        xembed.geco.pseudo_log_likelihood(
            *_masked_lm(), inputs.small_pairs(8), forms=("male", "female"), batch_size=5, rng=1, device="cpu", **FEW
        ),
    ]


@case
def zero_shot():
    pairs = inputs.small_pairs(6)
    return {
        "pairs": xembed.geco.zero_shot(*_masked_lm(), pairs, device="cpu"),
        "prompt": xembed.geco.zero_shot(
            *_masked_lm(), pairs.texts, prompt="{mask} : {sentence}", answers=("she", "he", "they"), device="cpu"
        ),
        "prompts": [xembed.geco.PROMPT, xembed.geco.NON_BINARY_PROMPT],
    }


# ---- models and training


def _weights(model):
    """Return the sum and the sum of squares of each parameter: small, and different if one weight is."""
    found = {name: one.detach().double() for name, one in model.named_parameters()}
    return {name: [float(one.sum()), float((one**2).sum())] for name, one in found.items()}


@case
def schemes():
    geco = xembed.geco
    model, _ = geco.make_classifier(inputs.bert_folder(), 2)
    trained = ("C", "CE", "CEf", "CEfAf")
    return {
        "schemes": geco.SCHEMES,
        "profiles": geco.PROFILES,
        "parameters": {name: geco.trainable_parameters(model, name) for name in trained},
    }


@case
def make_models():
    geco = xembed.geco
    one_layer = geco.make_one_layer(inputs.tokenizer(), 3, seed=2, hidden_size=8)
    found = {
        "classifier": _weights(geco.make_classifier(inputs.bert_folder(), 3, seed=1)[0]),
        "one layer": _weights(one_layer),
        "scores": geco.evaluate(one_layer, inputs.tokenizer(), inputs.SENTENCES, device="cpu"),
    }
    for scheme in ("C", "CE", "OLA"):
        model, tokenizer = geco.make_model(scheme, inputs.bert_folder(), 2, seed=1)
        found[scheme] = geco.evaluate(model, tokenizer, inputs.small_pairs(4), device="cpu")
    return found


@variants("geco", C="C", CE="CE", CEf="CEf", CEfAf="CEfAf", OLA="OLA")
def train(scheme):
    geco, pairs = xembed.geco, inputs.small_pairs(24)
    model, tokenizer = geco.make_model(scheme, inputs.bert_folder(), 2, seed=0)
    trained = geco.train(
        model, tokenizer, pairs, scheme, epochs=2, batch_size=16, validation_fraction=0.25, seed=3, device="cpu",
        progress=False,
    )  # fmt: skip
    geco.save_model(trained, own_folder() / "model")
    loaded = geco.load_model(own_folder() / "model")
    return {
        "record": trained.record,
        "weights": _weights(trained.model),
        "logits": geco.evaluate(trained.model, trained.tokenizer, pairs, device="cpu"),
        "loaded": geco.evaluate(loaded.model, loaded.tokenizer, pairs, batch_size=7, device="cpu"),
    }


@case
def train_without_dropout():
    geco, pairs = xembed.geco, inputs.small_pairs(24)
    model, tokenizer = geco.make_model("CEfAf", inputs.bert_folder(), 2)
    trained = geco.train(
        model, tokenizer, pairs, "CEfAf", epochs=1, learning_rate=1e-3, weight_decay=0.1, warmup=0.0,
        max_grad_norm=None, dropout=False, device="cpu", progress=False,
    )  # fmt: skip
    return {"record": trained.record, "weights": _weights(trained.model)}


# ---- attributions as published

_REFERENCES = (
    "deep_lift", "gradient_shap", "guided_backprop", "input_x_gradient", "integrated_gradients", "kernel_shap", "lime",
    "pattern", "saliency_l1", "uniform_random",
)  # fmt: skip


@variants("geco", **{name: name for name in _REFERENCES})
def reference_attributions(method):
    model, tokenizer = xembed.geco.make_classifier(inputs.bert_folder(), 2, seed=1)
    run = geco_reference.reference_attributions
    return [
        run(model, tokenizer, inputs.small_pairs(4), method, n_steps=20),
        run(model, tokenizer, inputs.small_pairs(2), method, n_steps=5, n_samples=8, rng=3),
    ]


# ---- the benchmark


def _benchmark(kind=xembed.geco.Benchmark, **options):
    data = inputs.small_pairs(28).split(8, rng=0)
    defaults = {
        "backbone": inputs.bert_folder(), "n_sentences": 6, "n_samples": 15, "n_faithful": 3, "n_randomised": 2,
        "n_resamples": 60, "device": "cpu",
    }  # fmt: skip
    return kind(data, **defaults | options)


@case
def benchmark():
    runner = _benchmark(schemes=["C", "OLA"], seeds=(0, 1), training={"C": {"epochs": 1}, "OLA": {"epochs": 2}})
    result = runner.run(own_folder() / "run", progress=False)
    again = runner.run(own_folder() / "run", progress=False)
    plan = runner.plan(measure=False)
    return {
        "described": runner.describe(),
        "plan": [plan.n_models, plan.n_forward, plan.n_backward],
        "result": result,
        "frame": result.to_frame(),
        "best": {scheme: result.best(scheme) for scheme in ("C", "OLA")},
        "again": again.to_frame(),
    }


@case
def benchmark_as_published():
    runner = _benchmark(
        geco_reference.ReferenceBenchmark, schemes=["OLA"], seeds=(0,), methods=["lime", "saliency_l1", "pattern"],
        target="predicted", training={"OLA": {"epochs": 2}},
    )  # fmt: skip
    return runner.run(own_folder() / "run", progress=False)


@case
def benchmark_options():
    runner = _benchmark(
        schemes=["CEfAf"], seeds=(1,), methods=["integrated_gradients", "occlusion"], n_faithful=0, n_randomised=0,
        baseline="mask", deletion="delete", tolerance=0.1, max_steps=24, confidence_level=0.8,
        training={"CEfAf": {"epochs": 1}},
    )  # fmt: skip
    return runner.run(own_folder() / "run", progress=False)
