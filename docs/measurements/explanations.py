"""Which method explains embeddings: planted words, deletions, shifts and the gender axis, as tables.

    python docs/measurements/explanations.py planted --data DATA     # which method finds words that don't belong
    python docs/measurements/explanations.py recommended --texts 500 # the recommended one on 500 texts
    python docs/measurements/explanations.py deletion --data DATA    # does deleting the first word change a similarity
    python docs/measurements/explanations.py shift                   # words of the planted topics
    python docs/measurements/explanations.py gender --data DATA      # is gender the first axis of a gendered pair
    python docs/measurements/explanations.py speed                   # a matrix of a pair; depth against the raw rate

DATA holds corpora/, sts/ and geco/. Everything is seeded. --texts and --pairs make it shorter.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

import xembed
from xembed.attribution import (
    METHODS,
    Depth,
    NearestSimilarity,
    Similarity,
    explain,
    explain_axes,
    explain_shift,
    make_axes,
)
from xembed.attribution._method import MethodOptions
from xembed.attribution._trust import against_content, plant, planted_auroc, planted_scores
from xembed.attribution._word_vectors import word_vectors
from xembed.datasets import load_corpora, load_geco, load_gendered_pairs, load_planted_vocabulary, load_sts

# Method, target, options: what is compared on planted words.
PLANTED = (
    ("lime", "moving", {"n_samples": 400}),
    ("lime", "moving", {"n_samples": 200}),
    ("lime", "fixed", {"n_samples": 200}),
    ("lime", "depth", {"n_samples": 200}),
    ("lime", "moving", {"n_samples": 200, "deletion": "mask"}),
    ("shapley_sampling", "moving", {"n_samples": 200}),
    ("kernel_shap", "moving", {"n_samples": 200}),
    ("occlusion", "moving", {}),
    ("occlusion", "depth", {}),
    ("integrated_gradients", "moving", {}),
    ("integrated_gradients", "moving", {"baseline": "mask"}),
    ("integrated_gradients", "depth", {}),
    ("gradient_shap", "moving", {}),
    ("input_x_gradient", "moving", {}),
    ("saliency_l2", "moving", {}),
    ("attention_gradient", "moving", {}),
)

# What is worth trying on other corpora.
FEW = tuple(PLANTED[place] for place in (1, 5, 7, 8, 9, 11, 14))


def mean_of(values, rng=0):
    """Return a mean with a 95 % interval, texts resampled."""
    values = np.asarray(values, dtype=float)
    drawn = np.random.default_rng(rng).integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def corpora(data):
    """Return texts by name: those that come with the project, and broad ones."""
    found = {name: list(load_corpora(name).texts) for name in ("support_tickets", "product_reviews", "news_briefs")}
    if data is not None:
        for name in ("trec_questions", "subj_5k", "us_inaugural_paragraphs", "sms_spam"):
            lines = (data / "corpora" / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
            texts = list(dict.fromkeys(json.loads(line)["text"] for line in lines if line))
            short = [text for text in texts if 4 <= len(text.split()) <= 60]
            chosen = np.random.default_rng(0).choice(len(short), size=min(1000, len(short)), replace=False)
            found[name] = [short[place] for place in sorted(chosen)]
    return found


def make_targets(reference):
    return {
        "moving": NearestSimilarity(reference),
        "fixed": NearestSimilarity(reference, fixed=True),
        "depth": Depth(reference),
    }


def planted(arguments):
    encoder = xembed.load_encoder(device="cpu")
    names = arguments.only or corpora(arguments.data)
    print(f"{arguments.texts} texts of each corpus, 2 to 4 planted words.\n")
    for name, texts in corpora(arguments.data).items():
        if name not in names:
            continue
        found = plant(
            texts, None, n_texts=arguments.texts, n_words=(2, 4), off_topic=None, rng=np.random.default_rng(1),
            caller="planted",
        )  # fmt: skip
        targets = make_targets(encoder.encode(found.reference))
        head = f"| {name} | target | options | AUROC | against longer words | first is planted | s a text |"
        print(f"\n{head}\n|---|---|---|---|---|---|---|")
        for method, target, options in FEW if arguments.few else PLANTED:
            began = time.monotonic()
            away, _ = planted_scores(
                encoder, found, METHODS[method], targets[target], {"rng": 0, "progress": False, **options}
            )
            seconds = (time.monotonic() - began) / len(away)
            first = np.mean([marks[values.argmax()] for values, marks in zip(away, found.planted, strict=True)])
            said = ", ".join(f"{key}={value}" for key, value in options.items())
            print(
                f"| {METHODS[method].label} | {target} | {said} | {mean_of(planted_auroc(away, found.planted))} | "
                f"{against_content(away, found):.2f} | {first:.2f} | {seconds:.2f} |",
                flush=True,
            )


def recommended(arguments):
    """Plant words in 500 texts of the tickets, some twice with other words, each in the corpus of all others."""
    encoder, texts = xembed.load_encoder(device="cpu"), list(load_corpora("support_tickets").texts)
    embedded = encoder.encode(texts)
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(len(texts)), rng.permutation(len(texts))])[: arguments.texts]
    aurocs, firsts = [], []
    for start in range(0, len(order), 50):
        some = order[start : start + 50]
        found = plant(
            [texts[place] for place in some], texts, n_texts=len(some), n_words=(2, 4), off_topic=None, rng=rng,
            caller="recommended",
        )  # fmt: skip
        target = NearestSimilarity(embedded, exclude=some)
        away, _ = planted_scores(
            encoder, found, METHODS["lime"], target, {"rng": 0, "progress": False, "n_samples": arguments.samples}
        )
        aurocs += planted_auroc(away, found.planted).tolist()
        firsts += [marks[values.argmax()] for values, marks in zip(away, found.planted, strict=True)]
        print(f"{len(aurocs)} texts: AUROC {mean_of(aurocs)}, first is planted {np.mean(firsts):.3f}", flush=True)


def deletion(arguments):
    encoder = xembed.load_encoder(device="cpu")
    (pairs,) = load_sts(arguments.data / "sts" / "STSBenchmark" / "sts-dev.csv")
    long = [(a, b) for a, b in zip(pairs.first, pairs.second, strict=True) if min(len(a.split()), len(b.split())) >= 5]
    chosen = np.random.default_rng(0).choice(len(long), size=min(arguments.pairs, len(long)), replace=False)
    long = [long[place] for place in sorted(chosen)]
    texts = [text for pair in long for text in pair]
    others = [text for a, b in long for text in (b, a)]
    print(f"{len(long)} pairs of {len(pairs.first)}, both of five words and more; both texts of each.\n")
    changes = explain(encoder, texts, method="occlusion", target=Similarity(others), progress=False)
    rows = {}
    options = MethodOptions(n_samples=100, deletion="delete")
    for method in ("last_layer", "shapley", "integrated_jacobian"):
        few = len(texts) if method != "integrated_jacobian" else min(len(texts), 2 * arguments.jacobians)
        began = time.monotonic()
        vectors = list(
            word_vectors(encoder, texts[:few], method=method, reference="pad", options=options, caller="deletion")
        )
        units = [word.embedding for word in vectors]
        rows[f"similarity, {method}"] = (
            [word.vectors @ units[place + 1 if place % 2 == 0 else place - 1] for place, word in enumerate(vectors)],
            (time.monotonic() - began) / few,
        )
    for method, more in (
        ("shapley_sampling", {"n_samples": 100}),
        ("lime", {"n_samples": 100}),
        ("kernel_shap", {"n_samples": 100}),
        ("integrated_gradients", {}),
        ("integrated_gradients", {"baseline": "mask"}),
        ("gradient_shap", {}),
        ("input_x_gradient", {}),
        ("saliency_l2", {}),
        ("attention_gradient", {}),
    ):
        began = time.monotonic()
        found = explain(encoder, texts, method=method, target=Similarity(others), progress=False, **more)
        said = ", ".join(f"{key}={value}" for key, value in more.items())
        rows[f"{found.label} {said}"] = (list(found.values), (time.monotonic() - began) / len(texts))
        print(".", end="", flush=True)
    print("\n| method | the first word's deletion changes more than another's | pairs | s a text |\n|---|---|---|---|")
    for name, (values, seconds) in rows.items():
        wins = []
        for of_words, change in zip(values, changes.values, strict=False):
            sizes, first = np.abs(change), int(np.abs(of_words).argmax())
            rest = np.delete(sizes, first)
            wins.append(((sizes[first] > rest) + 0.5 * (sizes[first] == rest)).mean())
        by_pair = np.array(wins).reshape(-1, 2).mean(axis=1)
        print(f"| {name} | {mean_of(by_pair)} | {len(by_pair)} | {seconds:.3f} |")


def shift(_arguments):
    encoder, tickets = xembed.load_encoder(device="cpu"), load_corpora("support_tickets")
    vocabulary = load_planted_vocabulary()
    print("| method | component | first ten terms that came | of the topic's vocabulary | s |\n|---|---|---|---|---|")
    for method in ("last_layer", "leave_one_out", "shapley"):
        found = explain_shift(
            encoder, tickets.where(week=1).texts, tickets.where(week=2).texts, method=method, n_samples=60
        )
        for component in found.components:
            known = set(vocabulary["vanished_topic" if component.kind == "vanished" else "new_topic"])
            terms = [term.term for term in component.came]
            hits = sum(term in known for term in terms)
            print(f"| {method} | {component.kind} | {', '.join(terms)} | {hits} | {found.seconds:.0f} |", flush=True)


WORDS = {
    "number": ("dog car house friend letter tree", "dogs cars houses friends letters trees"),
    "tense": ("walks opens says works calls plays", "walked opened said worked called played"),
    "sentiment": ("terrible bad awful hated ugly sad", "wonderful good excellent loved beautiful happy"),
    "size": ("tiny small little narrow short", "huge big large wide tall"),
    "formality": ("kids guy stuff wanna buy ok", "children gentleman material desire purchase acceptable"),
    "age": ("young new child youth modern", "old ancient elder aged historic"),
}


def gender(arguments):
    encoder = xembed.load_encoder(device="cpu")
    ends = {name: (low.split(), high.split()) for name, (low, high) in WORDS.items()}
    ends = {"gender": forms(load_gendered_pairs())} | ends
    axes = make_axes(encoder, ends)
    print("| pairs | gender first | mean share of gender | mean share of the next |\n|---|---|---|---|")
    for name in ("binary_gender_all", "binary_gender_subj"):
        male, female = forms(load_geco(arguments.data / "geco", name, "test"))
        found = explain_axes(encoder, male, female, axes)
        shares = found.difference_shares
        first = np.array([axis == "gender" for axis in found.first])
        second = np.sort(shares[:, 1:], axis=1)[:, -1]
        print(f"| {name}, {len(male)} | {mean_of(first)} | {shares[:, 0].mean():.3f} | {second.mean():.3f} |")


def forms(data):
    """Return the male and the female texts of pairs, row by row."""
    texts, rows = data.texts, list(data.complete_groups().values())
    places = [data.classes.index(name) for name in ("male", "female")]
    return tuple([texts[of_pair[place]] for of_pair in rows] for place in places)


def checks(arguments):
    """Print what the checks of explanations say of each method: of shifts by planted words, of pairs by deletion."""
    from xembed.attribution import explain_similarity
    from xembed.attribution._trust import trust_by_planting

    encoder = xembed.load_encoder(device="cpu")
    options = MethodOptions(deletion="delete", n_samples=100)
    print("| shift of planted words | method | AUROC, 95 % interval | against longer words |\n|---|---|---|---|")
    for name in ("support_tickets", "product_reviews"):
        for method in ("last_layer", "leave_one_out", "shapley"):
            texts = list(load_corpora(name).texts)
            found = trust_by_planting(
                encoder, texts, method=method, options=options, rng=np.random.default_rng(0), caller="checks"
            )
            low, high = found.interval
            print(
                f"| {name} | {method} | {found.auroc:.3f} ({low:.3f} to {high:.3f}) | {found.content:.3f} |", flush=True
            )
    (pairs,) = load_sts(arguments.data / "sts" / "STSBenchmark" / "sts-dev.csv")
    long = [(a, b) for a, b in zip(pairs.first, pairs.second, strict=True) if min(len(a.split()), len(b.split())) >= 5]
    chosen = np.random.default_rng(0).choice(len(long), size=min(arguments.pairs, len(long)), replace=False)
    print(f"\n{len(chosen)} pairs of STS-B dev\n| method | rank correlation, mean | median | below .5 | first beats |")
    print("|---|---|---|---|---|")
    for method in ("last_layer", "shapley"):
        trust = [explain_similarity(encoder, *long[place], method=method, trust=True).trust for place in sorted(chosen)]
        ranks = np.array([found.agreement for found in trust if found.agreement is not None])
        share = mean_of([found.share for found in trust])
        print(
            f"| {method} | {mean_of(ranks)} | {np.median(ranks):.2f} | {(ranks < 0.5).mean():.0%} | {share} |",
            flush=True,
        )


def speed(arguments):
    from xembed.attribution import explain_depth, explain_similarity
    from xembed.attribution._encoder_model import ScoredEncoder

    encoder, tickets = xembed.load_encoder(device="cpu"), list(load_corpora("support_tickets").texts)
    a = "The king greeted his guests warmly and then he offered them wine and bread from the old royal cellar tonight."
    b = "The queen welcomed her visitors and gave everybody something to drink while servants brought chairs in now."
    print("| a pair of 20 words | s | with the check by leaving words out, s |\n|---|---|---|")
    for method in ("last_layer", "leave_one_out", "shapley", "integrated_jacobian"):
        times = {False: [], True: []}
        for _ in range(1 if method == "integrated_jacobian" else 5):
            for trust in times:
                began = time.perf_counter()
                explain_similarity(encoder, a, b, method=method, trust=trust)
                times[trust].append(time.perf_counter() - began)
        print(f"| {method} | {np.median(times[False]):.2f} | {np.median(times[True]):.2f} |", flush=True)

    texts = (tickets * 3)[: arguments.texts]
    target = NearestSimilarity(encoder.encode(tickets))
    head, _ = target.prepare(encoder, texts, caller="speed")
    scored = ScoredEncoder(encoder, head, caller="speed")
    rows = scored.words.encode(texts)

    def raw(backward, count):
        some = rows[:count]
        batches = [scored.tensors([some[i].ids for i in batch]) for batch in scored.batches([len(r.ids) for r in some])]
        embeds = [scored.embed(*batch) for batch in batches]
        began = time.perf_counter()
        with scored.frozen():
            for (ids, mask), x in zip(batches, embeds, strict=True):
                if backward:
                    at = x.clone().requires_grad_()
                    torch.autograd.grad(scored.score(at, mask)[:, 0].sum(), at)
                else:
                    with torch.no_grad():
                        scored.module(input_ids=ids, attention_mask=mask)
        return len(some) / (time.perf_counter() - began)

    forward, both = raw(False, 1000), raw(True, 1000)
    print(f"\nraw rate: {forward:.0f} rows a second forward, {both:.0f} forward and backward")
    for method in ("input_x_gradient", "saliency_l2", "integrated_gradients"):
        scored.n_forward = scored.n_backward = 0
        from xembed.attribution._methods import run_method

        began = time.perf_counter()
        run_method(METHODS[method], scored, rows, np.zeros(len(rows), dtype=np.int64), MethodOptions())
        seconds = time.perf_counter() - began
        work = scored.n_backward / both + scored.n_forward / forward
        print(f"{method}: {len(rows)} texts in {seconds:.1f} s, {work / seconds:.0%} of the raw rate")
    began = time.perf_counter()
    found = explain_depth(encoder, texts[:40], tickets, progress=False)
    print(f"explain_depth by default ({found.label}): {(time.perf_counter() - began) / 40:.2f} s a text")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("planted", "recommended", "deletion", "shift", "gender", "checks", "speed"))
    parser.add_argument("--data", type=Path, help="folder with corpora/, sts/ and geco/")
    parser.add_argument("--texts", type=int, default=100, help="texts of a corpus")
    parser.add_argument("--pairs", type=int, default=400, help="pairs of STS-B dev")
    parser.add_argument("--jacobians", type=int, default=20, help="pairs explained by the integrated Jacobian")
    parser.add_argument("--samples", type=int, default=400, help="rows a text of the recommended method")
    parser.add_argument("--few", action="store_true", help="fewer methods on planted words")
    parser.add_argument("--only", nargs="*", help="some corpora")
    given = parser.parse_args()
    globals()[given.part](given)
