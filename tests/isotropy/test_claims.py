"""What corrections do to STS, layer by layer: claims at reduced size, and at full size the table."""

import os

import pytest

from xembed.datasets import load_dictionary, load_sts
from xembed.encoders import encode_layers
from xembed.isotropy import compare_corrections, default_corrections

FULL = bool(os.environ.get("XEMBED_FULL"))
N_DEFINITIONS = 5000 if FULL else 600


def definitions(folder):
    dictionary = load_dictionary(folder)
    entries = dictionary.sample(min(N_DEFINITIONS, len(dictionary)), rng=0)
    return list(dict.fromkeys(text for texts in entries.definitions for text in texts))


@pytest.mark.slow
def test_corrections_lift_inner_layers_and_not_the_tuned_output(encoder, real_data, wordnet_folder):
    (train,) = load_sts(real_data / "sts" / "STSBenchmark" / "sts-train.csv")
    (dev,) = load_sts(real_data / "sts" / "STSBenchmark" / "sts-dev.csv")
    tests = [dev]
    if FULL:
        tests += [
            *load_sts(real_data / "sts" / "STS12-en-test"),
            *load_sts(real_data / "sts" / "SICK" / "SICK_trial.txt"),
        ]
    else:
        train, tests = train.sample(1000), [dev.sample(700)]
    glosses = definitions(wordnet_folder)
    texts = list(dict.fromkeys([*glosses, *train.sentences, *(t for pairs in tests for t in pairs.sentences)]))
    layers = range(7) if FULL else (2, 6)
    embeddings = encode_layers(encoder, texts, layers=list(layers), batch_size=64)
    found = {}
    print(
        f"\n{'layer':<7}{'fit':<13}{'correction':<19}{'tune':>6}",
        *(f"{p.name[-14:]:>24}" for p in tests),
        f"{'gain':>20}",
    )
    for layer in layers:
        vectors = dict(zip(texts, embeddings[layer, "mean"], strict=True))
        for fit_name, fit in (("definitions", glosses), ("STS-B train", train)):
            result = compare_corrections(
                vectors, fit_texts=fit, tune=train, test=tests, n_resamples=1000 if FULL else 200, transductive=True
            )
            found[layer, fit_name] = result
            for row in result.rows:
                scores = (
                    f"{100 * s.spearman:6.1f} ({100 * s.spearman_low:5.1f} to {100 * s.spearman_high:5.1f})"
                    for s in row.tests
                )
                gain = row.test_gain
                gained = (
                    "" if gain is None else f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
                )
                print(
                    f"{layer:<7}{fit_name:<13}{row.name:<19}{100 * row.tune.spearman:6.1f}",
                    *(f"{s:>24}" for s in scores),
                    f"{gained:>20}",
                    flush=True,
                )
            print(f"{layer} {fit_name}: {result.recommendation}: {result.reason}", flush=True)
    for layer in set(layers) - {5, 6}:
        result = found[layer, "STS-B train"]
        best = max(result.rows, key=lambda row: row.tune.spearman)
        assert best.test_gains[0].value > (0.06 if FULL else 0.03), (layer, best.name, best.test_gains[0])
        assert result.recommendation == best.name
    for fit_name in ("definitions", "STS-B train"):
        assert found[6, fit_name].recommendation == "none"
    assert set(default_corrections()) | {"raw"} == {row.name for row in found[6, "STS-B train"].rows}
