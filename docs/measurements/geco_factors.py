"""Why Integrated Gradients score lower on a fully fine-tuned model in one place than in another: one factor at a time.

    python docs/measurements/geco_factors.py run --data DATA --out factors.jsonl      # trains, explains, writes lines
    python docs/measurements/geco_factors.py table --out factors.jsonl                # what was found, as tables

DATA holds the official files of GECO in the folder geco/. The published figure has medians of mass accuracy of .45 (C),
.73 (CEf) and .39 (CEfAf) for Integrated Gradients. The base here is all-MiniLM-L6-v2, schemes C, CEf and CEfAf by their
own recipes, the logit of the true class, word embeddings, [PAD] as baseline. From there one thing is changed at a time:
in the explanation (the output, the site, the baseline, the order of sums, the sentences that count), or in the training
(epochs, learning rate, dropout, what is trained, the number of blocks, random weights, the variant of the data).

Each line of the file is a trained model or an explanation of it, with the scores of all rows. A run that was cut off
goes on where it stopped: finished lines are not computed again, and a model of which something is missing is trained
again, to the same weights. All jobs of the first seed come first, in the order of their weight for the question, so
that a run may be stopped early. --sentences, --train-sentences and --only make it shorter. Models are trained on a
random half of the sentences (on all with --train-sentences 0).
"""

import argparse
import copy
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax

import xembed
from xembed.attribution import ScoredModel, WordEncoder, explain
from xembed.datasets import load_geco
from xembed.encoders import truncate
from xembed.geco import (
    SCHEMES,
    clustered_interval,
    evaluate,
    make_classifier,
    mass_accuracy,
    paired_difference,
    positive_mass_accuracy,
    train,
)

ALL, SUBJ = "binary_gender_all", "binary_gender_subj"
BASE, CORRECT = "base", "correct sentences only"
# Of the explanation. "margin" is the logit of the true class less that of the other one: between logit and probability.
EXPLANATIONS = {
    BASE: {},
    "probability": {"output": "probability"},
    "published: block, probability": {"output": "probability", "site": "block"},
    "site: block": {"site": "block"},
    "site: block twice": {"site": "block_twice"},
    "margin of logits": {"output": "margin"},
    "baseline: [MASK]": {"baseline": "mask"},
    "baseline: zero": {"baseline": "zero"},
    "baseline: [UNK]": {"baseline": "unk"},
    "sizes before dimensions are summed": {"sizes": "dimensions"},
}
PUBLISHED = "published: block, probability"
FEW = (BASE, "probability")
SOME = (*FEW, PUBLISHED, "site: block", "baseline: [MASK]", "baseline: zero", "sizes before dimensions are summed")

BLOCKS_AND_HEAD = dataclasses.replace(SCHEMES["CEfAf"], name="blocks and head", parts=("blocks", "head"))
EMBEDDINGS = dataclasses.replace(SCHEMES["CEf"], name="embeddings", parts=("embeddings",))
# By name: the scheme, options of the training, what is explained, and whatever else is different.
TRAININGS = {
    "CEfAf": ("CEfAf", {}, tuple(EXPLANATIONS), {}),
    "C": ("C", {}, SOME, {}),
    "CEf": ("CEf", {}, SOME, {}),
    "CEfAf, learning rate 5e-6": ("CEfAf", {"learning_rate": 5e-6}, FEW, {}),
    "CEfAf, blocks and head only": (BLOCKS_AND_HEAD, {}, FEW, {}),
    "CEfAf, as published: 5e-6, 20 epochs, no dropout": (
        "CEfAf",
        {"learning_rate": 5e-6, "epochs": 20, "dropout": False},
        (*FEW, PUBLISHED),
        {},
    ),
    "CEfAf, 1 epoch": ("CEfAf", {"epochs": 1}, FEW, {}),
    "CEfAf, 10 epochs": ("CEfAf", {"epochs": 10}, FEW, {}),
    "CEfAf, no dropout": ("CEfAf", {"dropout": False}, FEW, {}),
    "CEfAf, 2 blocks": ("CEfAf", {}, FEW, {"blocks": 2}),
    "CEfAf, 4 blocks": ("CEfAf", {}, FEW, {"blocks": 4}),
    "CEfAf, random weights": ("CEfAf", {"learning_rate": 1e-4, "epochs": 10}, FEW, {"random": True}),
    "CEf, embeddings only, head random": (EMBEDDINGS, {}, FEW, {}),
    "CEfAf, learning rate 2e-5": ("CEfAf", {"learning_rate": 2e-5}, FEW, {}),
    "CEfAf, learning rate 1e-4": ("CEfAf", {"learning_rate": 1e-4}, FEW, {}),
    "C, subj": ("C", {}, FEW, {"variant": SUBJ}),
    "CEfAf, subj": ("CEfAf", {}, FEW, {"variant": SUBJ}),
}
METHODS = ("integrated_gradients", "input_x_gradient")


# ---- data and models


def load(folder, settings):
    """Return, by variant, training and test data; the test sentences of all variants are the same."""
    data = {
        variant: [load_geco(folder / "geco", variant, split) for split in ("train", "test")] for variant in (ALL, SUBJ)
    }
    shared = set(data[ALL][1].groups) & set(data[SUBJ][1].groups)
    test = data[ALL][1]
    test = test.take([row for row, group in enumerate(test.groups) if group in shared])
    chosen = set(test.sample(settings["sentences"], rng=0).groups)
    found = {}
    for variant, (training, test) in data.items():
        n = settings["train_sentences"]
        found[variant] = (
            training.sample(n, rng=1) if n else training,
            test.take([row for row, group in enumerate(test.groups) if group in chosen]),
        )
    return found


def make(name, data, seed, settings, encoder):
    """Train one model; return it as it was before and after, with the record of its training."""
    scheme, options, _, more = TRAININGS[name]
    if "blocks" in more:
        encoder = truncate(encoder, more["blocks"])
    model, tokenizer = make_classifier(encoder, 2, seed=seed)
    if more.get("random"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = type(model)(copy.deepcopy(model.config)).eval()
    if settings["most_epochs"]:
        epochs = options.get("epochs", SCHEMES["CEfAf"].recipe.epochs)
        options = options | {"epochs": min(settings["most_epochs"], epochs)}
    trained = train(
        model, tokenizer, data, scheme, seed=seed, validation_fraction=0.1, device="cpu", progress=False, **options
    )
    return model, trained


def describe(before, trained, data):
    """Say how sure a model is, what it makes of the baseline, and how far its weights moved."""
    labels = np.array(data.labels)
    rows = np.arange(len(labels))
    logits = evaluate(trained.model, trained.tokenizer, data)
    true = softmax(logits, axis=1)[rows, labels]
    scored = ScoredModel(trained.model, trained.tokenizer, output="probability", caller="describe")
    encoded = scored.words.encode(data.sentences)
    base = scored.score_ids([scored.baseline_ids(row, "pad") for row in encoded])[rows, labels]
    old, new = before.state_dict(), trained.model.state_dict()
    moved = {}
    for part, belongs in (
        ("embeddings", lambda name: ".embeddings." in name),
        ("blocks", lambda name: ".encoder." in name),
    ):
        names = [name for name in old if belongs(name) and old[name].is_floating_point()]
        change = sum(float((new[name] - old[name]).double().pow(2).sum()) for name in names)
        moved[part] = (change / sum(float(old[name].double().pow(2).sum()) for name in names)) ** 0.5
    record = trained.record
    return {
        "train_loss": float(record.train_losses[-1]),
        "validation_loss": float(record.validation_losses[record.best_epoch - 1]),
        "best_epoch": int(record.best_epoch),
        "accuracy": float((logits.argmax(axis=1) == labels).mean()),
        "p_true": float(true.mean()),
        "share_above_99": float((true > 0.99).mean()),
        "margin": float(np.abs(logits[:, 1] - logits[:, 0]).mean()),
        "p_true_of_baseline": float(base.mean()),
        "moved_embeddings": moved["embeddings"],
        "moved_blocks": moved["blocks"],
        "train_seconds": float(record.seconds),
        "chance": float(np.mean([np.mean(marks) for marks in data.ground_truth])),
        "correct": (logits.argmax(axis=1) == labels).tolist(),
        "groups": list(data.groups),
    }


# ---- explanations


class Margin(torch.nn.Module):
    """A classifier of two classes whose logits are each less the other."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    @property
    def base_model(self):
        return self.module.base_model

    def get_input_embeddings(self):
        return self.module.get_input_embeddings()

    def forward(self, **inputs):
        output = copy.copy(self.module(**inputs))
        output.logits = output.logits - output.logits.flip(-1)
        return output


def of_tokens(trained, data, method, settings, *, output="logit", site="word", baseline="pad"):
    """Return the attributions of the tokens of each row, and the median completeness error."""
    module = Margin(trained.model) if output == "margin" else trained.model
    found = explain(
        module,
        [list(words) for words in data.sentences],
        method=method,
        target=list(data.labels),
        level="token",
        tokenizer=trained.tokenizer,
        output="logit" if output == "margin" else output,
        site=site,
        baseline=baseline,
        tolerance=settings["tolerance"],
        max_steps=96,
        progress=False,
    )
    return list(found.values), float(np.median(found.completeness))


def of_dimensions(trained, data, method):
    """Return the sums of the sizes of all dimensions of each token: 24 steps, one sentence at a time."""
    model = ScoredModel(trained.model, trained.tokenizer, caller="of_dimensions")
    nodes, weights = np.polynomial.legendre.leggauss(24)
    found = []
    with model.frozen():
        for row, label in zip(model.words.encode(data.sentences), data.labels, strict=True):
            ids, mask = model.tensors([row.ids])
            x = model.embed(ids, mask)
            if method == "integrated_gradients":
                way, n = x - model.baseline_embeds([row], "pad"), len(nodes)
                back = torch.tensor((1 - nodes) / 2, dtype=x.dtype)[:, None, None]
                share = torch.tensor(weights / 2, dtype=x.dtype)[:, None, None]
            else:
                way, n, back, share = x, 1, torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
            at = (x - back * way).requires_grad_()
            (gradient,) = torch.autograd.grad(model.score(at, mask.expand(n, -1))[:, label].sum(), at)
            sizes = ((gradient * share).sum(0) * way[0]).abs().sum(-1).double().numpy()
            found.append(sizes[~np.array(row.special)])
    return found


def score(tokens, trained, data):
    """Return mass accuracies of all rows by three rules of going from tokens to words."""
    encoded = WordEncoder(trained.tokenizer, caller="score").encode(data.sentences)
    found = {"mass": [], "mass_of_sizes": [], "positive_mass": []}
    for values, row, marks in zip(tokens, encoded, data.ground_truth, strict=True):
        places = [word for word in row.word_ids if word is not None]
        words = np.bincount(places, weights=values, minlength=len(marks))
        sizes = np.bincount(places, weights=np.abs(values), minlength=len(marks))
        found["mass"].append(round(mass_accuracy(words, marks), 5))
        found["mass_of_sizes"].append(round(mass_accuracy(sizes, marks), 5))
        found["positive_mass"].append(round(positive_mass_accuracy(words, marks), 5))
    return found


# ---- the run


def jobs(name):
    """Return the explanations of a model: (explanation, method), without those that are the same by construction."""
    for explanation in TRAININGS[name][2]:
        for method in METHODS:
            if method == METHODS[0] or "baseline" not in EXPLANATIONS[explanation]:
                yield explanation, method


def run(arguments):
    settings = {
        "sentences": arguments.sentences,
        "train_sentences": arguments.train_sentences,
        "most_epochs": arguments.most_epochs,
        "tolerance": arguments.tolerance,
    }
    lines = read(arguments.out)
    if lines and lines[0] != {"settings": settings}:
        raise SystemExit(f"{arguments.out} was begun with {lines[0]}: give the same options or another file.")
    done = {key(line) for line in lines[1:]}
    data, encoder = load(arguments.data, settings), xembed.load_encoder(device="cpu")
    with arguments.out.open("a", encoding="utf-8") as file:

        def write(line):
            file.write(json.dumps(line) + "\n")
            file.flush()

        if not lines:
            write({"settings": settings})
        for seed in range(arguments.seeds):
            for name in [name for name in TRAININGS if not arguments.only or name in arguments.only]:
                wanted = [(name, seed, None, None), *((name, seed, *job) for job in jobs(name))]
                if all(job in done for job in wanted):
                    continue
                training, test = data[TRAININGS[name][3].get("variant", ALL)]
                before, trained = make(name, training, seed, settings, encoder)
                print(f"seed {seed}, {name}: trained in {trained.record.seconds:.0f} s", flush=True)
                if wanted[0] not in done:
                    write({"training": name, "seed": seed, **describe(before, trained, test)})
                for job in wanted[1:]:
                    if job not in done:
                        write(measure(job, trained, test, settings))


def measure(job, trained, data, settings):
    name, seed, explanation, method = job
    options, began, completeness = dict(EXPLANATIONS[explanation]), time.monotonic(), float("nan")
    if options.pop("sizes", None):
        tokens = of_dimensions(trained, data, method)
    else:
        tokens, completeness = of_tokens(trained, data, method, settings, **options)
    scores = score(tokens, trained, data)
    seconds = time.monotonic() - began
    mean = np.mean(scores["mass"])
    print(
        f"  {explanation}, {method}: {mean:.3f}, median {np.median(scores['mass']):.3f} ({seconds:.0f} s)", flush=True
    )
    line = {"training": name, "seed": seed, "explanation": explanation, "method": method, **scores}
    return line | {"completeness": None if np.isnan(completeness) else completeness, "seconds": round(seconds, 1)}


def read(path):
    """Return the lines of a file; one that was cut off in the middle is taken away."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def key(line):
    return line["training"], line["seed"], line.get("explanation"), line.get("method")


# ---- tables


def table(arguments):
    lines = read(arguments.out)
    found = {key(line): line for line in lines[1:]}
    seeds = sorted({line["seed"] for line in lines[1:]})
    print(
        f"Settings: {json.dumps(lines[0]['settings'])}; seeds {seeds}.\n"
        "Intervals: 95 %, sentences and seeds resampled.\n"
    )
    print(
        "| model | seeds | accuracy | p(true) | above .99 | margin | p(true) of [PAD] | train loss | embeddings moved "
        "| blocks moved | chance |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    names = [name for name in TRAININGS if any((name, seed, None, None) in found for seed in seeds)]
    for name in names:
        models = [found[name, seed, None, None] for seed in seeds if (name, seed, None, None) in found]
        mean = {
            field: np.mean([m[field] for m in models])
            for field in models[0]
            if field not in ("correct", "groups", "training")
        }
        print(
            f"| {name} | {len(models)} | {mean['accuracy']:.3f} | {mean['p_true']:.3f} | "
            f"{mean['share_above_99']:.2f} | {mean['margin']:.1f} | {mean['p_true_of_baseline']:.2f} | "
            f"{mean['train_loss']:.3f} | {mean['moved_embeddings']:.3f} | {mean['moved_blocks']:.3f} | "
            f"{mean['chance']:.3f} |"
        )
    for method in METHODS:
        print(f"\n{method}: mean mass accuracy, its median, and the difference of means to the base of the scheme\n")
        print("| model | explanation | mean | median | less base |\n|---|---|---|---|---|")
        for name in names:
            for label, values in rows_of(found, name, method, seeds).items():
                print(f"| {name} | {label} | {' | '.join(cells(values, base_of(found, name, label, method, seeds)))} |")


def rows_of(found, name, method, seeds):
    """Return by label what is shown of a model: {(seed, row): (group, value)}."""
    shown = {}
    for explanation in TRAININGS[name][2]:
        shown[explanation] = collect(found, name, explanation, method, "mass", seeds)
        if explanation == BASE:
            shown["sizes before pieces are summed"] = collect(found, name, BASE, method, "mass_of_sizes", seeds)
            shown["positive only"] = collect(found, name, BASE, method, "positive_mass", seeds)
            shown[CORRECT] = only_correct(found, shown[BASE], name, seeds)
        if explanation == PUBLISHED:
            values = collect(found, name, PUBLISHED, method, "mass_of_sizes", seeds)
            shown[f"{PUBLISHED}, sizes, correct only"] = only_correct(found, values, name, seeds)
    return {label: values for label, values in shown.items() if len({group for group, _ in values.values()}) > 1}


def collect(found, name, explanation, method, rule, seeds):
    return {
        (seed, row): (group, value)
        for seed in seeds
        if (name, seed, explanation, method) in found and (name, seed, None, None) in found
        for row, (group, value) in enumerate(
            zip(found[name, seed, None, None]["groups"], found[name, seed, explanation, method][rule], strict=True)
        )
    }


def only_correct(found, values, name, seeds):
    """Keep sentences of which every form is classified rightly under every seed, as published."""
    wrong = set()
    for model in (found.get((name, seed, None, None)) for seed in seeds):
        if model is not None:
            wrong |= {group for group, right in zip(model["groups"], model["correct"], strict=True) if not right}
    return {place: (group, value) for place, (group, value) in values.items() if group not in wrong}


def base_of(found, name, label, method, seeds):
    """Return what a line is compared with: another explanation with the same model, another model by its scheme."""
    if label == CORRECT:  # the same numbers, of fewer sentences
        return {}
    if label != BASE:
        return collect(found, name, BASE, method, "mass", seeds)
    scheme = name.partition(",")[0]
    return {} if scheme == name else collect(found, scheme, BASE, method, "mass", seeds)


def cells(values, base):
    groups = np.array([group for group, _ in values.values()])
    numbers = np.array([value for _, value in values.values()])
    seeds = np.array([seed for seed, _ in values])
    mean, low, high = clustered_interval(numbers, groups, seeds=seeds)
    found = [f"{mean:.3f} ({low:.3f} to {high:.3f})", median(numbers, groups, seeds)]
    shared = [place for place in values if place in base and values[place][0] == base[place][0]]
    if len({values[place][0] for place in shared}) < 2:
        return [*found, ""]
    difference = paired_difference(
        [values[place][1] for place in shared],
        [base[place][1] for place in shared],
        [values[place][0] for place in shared],
        seeds=[place[0] for place in shared],
    )
    return [*found, f"{difference.difference:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"]


def median(numbers, groups, seeds, n_resamples=1000):
    """Write the median with its interval; sentences and seeds are resampled as for the mean."""
    rng = np.random.default_rng(0)
    _, of_group = np.unique(groups, return_inverse=True)
    _, of_seed = np.unique(seeds, return_inverse=True)
    shares = [np.full(size, 1 / size) for size in (of_group.max() + 1, of_seed.max() + 1)]
    draws = []
    for _ in range(n_resamples):
        weights = (
            rng.multinomial(len(shares[0]), shares[0])[of_group] * rng.multinomial(len(shares[1]), shares[1])[of_seed]
        )
        if weights.any():
            draws.append(np.median(np.repeat(numbers, weights)))
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{np.median(numbers):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("run", "table"))
    parser.add_argument("--out", type=Path, required=True, help="lines of JSON, begun or continued")
    parser.add_argument("--data", type=Path, help="folder that holds geco/")
    parser.add_argument("--sentences", type=int, default=100, help="test sentences, each in both forms")
    parser.add_argument("--train-sentences", type=int, default=640, help="training sentences; 0 are all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=tuple(TRAININGS), help="some of the trainings")
    parser.add_argument("--tolerance", type=float, default=0.05, help="largest completeness error (up to 96 steps)")
    parser.add_argument("--most-epochs", type=int, default=0, help="cut all trainings short, to try the script")
    given = parser.parse_args()
    if given.part == "table":
        table(given)
    elif given.data is None:
        parser.error("--data is needed")
    else:
        run(given)
