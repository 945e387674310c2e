"""What decides whether DefSent+ helps an untuned encoder, and what its default recipe gives.

    python docs/measurements/defsent_plus.py factors --data DATA    # one factor at a time, judged by STS-B train
    python docs/measurements/defsent_plus.py recipe --data DATA     # the default, judged by sets that chose nothing

The starting point is all-MiniLM-L6-v2 without its two upper blocks, mean pooling; the dictionary is WordNet, as
Debian's package wordnet-base installs it. DATA holds STSBenchmark, STS12-en-test and SICK. Each line is one training.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import xembed
from xembed.datasets import load_dictionary, load_sts
from xembed.defsent import DefSentPlus
from xembed.encoders import truncate
from xembed.isotropy import Whitening, evaluate_sts, wrap

BLOCKS = 4
PUBLISHED = {"head": "pooler", "learning_rate": 2e-5, "dropout": None, "shared_definitions": "keep"}
FACTORS = {
    "default, one round": {},
    "learning rate 1e-6": {"learning_rate": 1e-6},
    "learning rate 2e-5": {"learning_rate": 2e-5},
    "learning rate 1e-4": {"learning_rate": 1e-4},
    "learning rate 1e-3": {"learning_rate": 1e-3},
    "head: pooler (as published)": {"head": "pooler"},
    "head: linear": {"head": "linear"},
    "head: orthogonal": {"head": "orthogonal"},
    "entries of unit length, times 20": {"normalize_entries": True, "entry_scale": 20.0},
    "entries times 3": {"entry_scale": 3.0},
    "entries whitened": {"projection": "whitening"},
    "entries whitened, times 0.1": {"projection": "whitening", "entry_scale": 0.1},
    "entries by ICA, times 0.1": {"projection": "ica", "entry_scale": 0.1},
    "synonyms kept": {"shared_definitions": "keep"},
    "dropout of the model": {"dropout": None},
    "500 entries": {"n_entries": 500},
    "8,000 entries": {"n_entries": 8000},
    "three rounds": {"rounds": 3},
    "three rounds, going on": {"rounds": 3, "restart": False},
    "published recipe, one round": PUBLISHED,
    "published recipe, three rounds, ICA in the last": PUBLISHED | {"rounds": 3, "projection": "ica"},
}


def start():
    return truncate(xembed.load_encoder(device="cpu"), BLOCKS)


def train(encoder, dictionary, *, seed, n_entries, **options):
    began = time.monotonic()
    entries = dictionary.sample(n_entries, rng=seed)
    options = {"rounds": 1, "validation_fraction": 0.0, "random_state": seed, "progress": False} | options
    fitted = DefSentPlus(encoder, **options).fit(entries)
    return fitted, time.monotonic() - began


def factors(data, seeds):
    (pairs,) = load_sts(data / "STSBenchmark" / "sts-train.csv")
    pairs, dictionary, encoder = pairs.sample(1500), load_dictionary("/usr/share/wordnet"), start()
    raw = evaluate_sts(encoder, pairs, n_resamples=20).sets[0].spearman
    print(f"start: {100 * raw:.1f} on 1,500 pairs of STS-B train", flush=True)
    for name, options in FACTORS.items():
        gains, seconds = [], 0.0
        for seed in seeds:
            chosen = {"n_entries": 2000} | options
            fitted, took = train(encoder, dictionary, seed=seed, **chosen)
            gains.append(100 * (evaluate_sts(fitted.encoder_, pairs, n_resamples=20).sets[0].spearman - raw))
            seconds += took
        each = ", ".join(f"{gain:+.1f}" for gain in gains)
        print(f"| {name} | {np.mean(gains):+.1f} | {each} | {seconds / len(seeds):.0f} s |", flush=True)


def recipe(data, seeds, n_entries):
    sets = [
        *load_sts(data / "STSBenchmark" / "sts-dev.csv"),
        *load_sts(data / "STS12-en-test"),
        *load_sts(data / "SICK" / "SICK_trial.txt"),
    ]
    dictionary, encoder = load_dictionary("/usr/share/wordnet"), start()
    whitened = wrap(encoder, Whitening("zca").fit(encoder.encode([d[0] for d in dictionary.sample(5000).definitions])))

    def show(name, model, seconds=0.0, extra=""):
        result = evaluate_sts(model, sets, n_resamples=1000)
        cells = [
            f"{100 * s.spearman:.1f} ({100 * s.spearman_low:.1f} to {100 * s.spearman_high:.1f})" for s in result.sets
        ]
        mean = np.mean([s.spearman for s in result.sets[1:-1]])
        print(f"| {name} | {cells[0]} | {100 * mean:.1f} | {cells[-1]} | {extra} | {seconds:.0f} s |", flush=True)

    def describe(fitted):
        last = fitted.history_[-1]
        return (
            f"{last.entry_isoscore:.3f} / {last.entry_average_cosine:.3f}; "
            f"{last.target_isoscore:.3f} / {last.target_average_cosine:.3f}"
        )

    show("start", encoder)
    show("start, whitened by definitions", whitened)
    for seed in seeds:
        for rounds in (1, 2, 3) if seed == seeds[0] else (1, 3):
            fitted, took = train(encoder, dictionary, seed=seed, n_entries=n_entries, rounds=rounds)
            show(f"seed {seed}, round {rounds}", fitted.encoder_, took, describe(fitted))
    for projection in ("whitening", "ica"):
        # A head that can rotate: ICA is whitening and a rotation.
        fitted, took = train(
            encoder,
            dictionary,
            seed=seeds[0],
            n_entries=n_entries,
            projection=projection,
            entry_scale=0.1,
            head="orthogonal",
        )
        show(f"{projection} × 10, head that rotates, round 1", fitted.encoder_, took, describe(fitted))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("factors", "recipe"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--entries", type=int, default=4000)
    arguments = parser.parse_args()
    if arguments.part == "factors":
        factors(arguments.data, range(arguments.seeds))
    else:
        recipe(arguments.data, range(arguments.seeds), arguments.entries)
