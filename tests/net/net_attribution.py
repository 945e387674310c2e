"""Cases of xembed.attribution."""

import functools

import net_inputs as inputs
import numpy as np
from net_record import family, variants

import xembed

case = family("attribution")
# As in the package now; a method that goes is a case that fails, one that comes is seen in `methods`.
METHODS = (
    "integrated_gradients", "saliency_l1", "saliency_l2", "input_x_gradient", "gradient_shap", "deep_lift",
    "guided_backprop", "deconvolution", "occlusion", "lime", "kernel_shap", "shapley_sampling", "attention_rollout",
    "attention_gradient", "uniform_random", "constant", "gendered_lexicon", "linear_tfidf", "pattern",
)  # fmt: skip
WORDS = [text.split() for text in inputs.SENTENCES]
FEW = {"n_samples": 20, "progress": False}


def with_frame(result):
    return {"result": result, "frame": result.to_frame()}


def fitted(method):
    fit = xembed.attribution.METHODS[method].fit
    return None if fit is None else fit(inputs.small_pairs())


# ---- classifiers


@variants("attribution", **{method: method for method in METHODS})
def explain(method):
    run = functools.partial(
        xembed.attribution.explain, inputs.classifier(), inputs.SENTENCES, method=method, tokenizer=inputs.tokenizer(),
        fitted=fitted(method), **FEW,
    )  # fmt: skip
    likeliest = run(rng=1)
    return {
        "likeliest": with_frame(likeliest),
        "shown": likeliest._repr_html_(),
        "probability": run(target=1, output="probability", baseline="mask", deletion="delete"),
    }


@case
def methods():
    rows = {"n_words": (3, 12), "options": xembed.attribution.MethodOptions()}
    return {
        name: {"label": method.label, "family": method.family, "signed": method.signed, "source": method.source}
        | {"rows": [method.rows(n, rows["options"]) for n in rows["n_words"]]}
        for name, method in xembed.attribution.METHODS.items()
    }


@case
def explain_options():
    run = functools.partial(
        xembed.attribution.explain, inputs.classifier(), WORDS, tokenizer=inputs.tokenizer(), target=[0, 1, 2, 0, 1],
        progress=False,
    )  # fmt: skip
    return {
        "block": run(site="block"),
        "block twice": run(site="block_twice", method="input_x_gradient"),
        "tokens": run(level="token", method="occlusion", deletion="unk"),
        "few steps": run(tolerance=0.5, max_steps=12, baseline="zero"),
        "cut": run(max_length=6, method="saliency_l1"),
        "top": run(method="occlusion").top(0, 3),
    }


@case
def words():
    rows = xembed.attribution.WordEncoder(inputs.tokenizer(), caller="this case").encode(inputs.SENTENCES)
    return [{"row": row, "special": row.special} for row in rows]


@case
def scored_model():
    model = inputs.scored()
    rows = model.words.encode(WORDS)
    return {
        "logits": model.score_ids([row.ids for row in rows]),
        "probabilities": inputs.scored(output="probability").score_ids([row.ids for row in rows]),
        "without": {kind: model.without(rows[0], [1, 0, 1, 1, 0], kind) for kind in ("mask", "pad", "unk", "delete")},
    }


@case
def method_health():
    health = functools.partial(
        xembed.attribution.method_health, inputs.classifier(), tokenizer=inputs.tokenizer(), texts=inputs.SENTENCES
    )
    options = xembed.attribution.MethodOptions(n_samples=20)
    found = health(options=options)
    return {
        "all": with_frame(found),
        "valid": found.valid,
        "some": health(methods=["lime", "deep_lift"], target=1, options=options),
    }


# ---- pairs, faithfulness, randomisation

FIRST = [["she", "met", "her", "queen", "."], ["the", "actress", "left", "."], ["a", "dog", "."]]
SECOND = [["he", "met", "his", "king", "."], ["the", "actor", "left", "."], ["a", "dog", "."]]


@case
def pair_shapley():
    attribution = xembed.attribution
    found = attribution.pair_shapley(inputs.scored(), FIRST, SECOND, [0, 1, 2])
    explained = attribution.explain(
        inputs.classifier(), FIRST, tokenizer=inputs.tokenizer(), target=[0, 1, 2], method="occlusion", progress=False
    )
    return {
        "logits": with_frame(found),
        "probabilities": attribution.pair_shapley(inputs.scored(output="probability"), FIRST, SECOND, 1, max_words=2),
        "agreement": attribution.agreement(explained.values, found),
        "used": attribution.used_words(found),
        "used much": attribution.used_words(found, share=0.5),
    }


@case
def shapley_values():
    draw = inputs.rng()
    return [xembed.attribution.shapley_values(draw.normal(size=(3, 2**n))) for n in (1, 3, 5)]


def _explanations():
    model = inputs.scored()
    rows = model.words.encode(WORDS)
    draw = inputs.rng(6)
    return model, rows, {name: [draw.normal(size=len(row.words)) for row in rows] for name in ("one", "two")}


@case
def faithfulness():
    model, rows, explanations = _explanations()
    run = functools.partial(xembed.attribution.faithfulness, model, rows, [0, 1, 2, 0, 1], explanations)
    return {
        "default": run(),
        "deleted": run(deletion="delete", shares=(0.2, 0.4)),
        "unsigned": run(signed={"one": True, "two": False}, deletion="pad"),
    }


@case
def faithfulness_parts():
    whole, part = inputs.rng().uniform(size=(2, 4, 3))
    attribution = xembed.attribution
    return [
        attribution.comprehensiveness(whole, part),
        attribution.sufficiency(whole, part),
        attribution.aopc(whole - part),
    ]


@case
def stability():
    draw = inputs.rng()
    first, second = ([draw.normal(size=n) for n in (5, 4, 3)] for _ in range(2))
    truth = [np.arange(n) == 0 for n in (5, 4, 3)]
    return xembed.attribution.stability(first, second, truth)


@case
def randomise():
    model, rows = inputs.classifier(), inputs.scored().words.encode(WORDS)
    found = {}
    for part in ("head", "encoder", "all"):
        drawn = xembed.attribution.randomise(model, part, seed=3)
        scored = xembed.attribution.ScoredModel(drawn, inputs.tokenizer(), caller="this case")
        found[part] = scored.score_ids([row.ids for row in rows])
    return found


@case
def randomisation_similarity():
    _, _, explanations = _explanations()
    return xembed.attribution.randomisation_similarity(explanations["one"], explanations["two"])


@case
def references():
    return {
        "words": xembed.attribution.GENDERED_WORDS,
        "first word": xembed.attribution.predict_by_first_word(inputs.paired()),
    }


# ---- encoders


def _targets():
    attribution, corpus = xembed.attribution, inputs.word_texts(n=20)[0]
    direction = inputs.rng(7).normal(size=32)
    return {
        "similarity": attribution.Similarity("she sings at home ."),
        "similarities": attribution.Similarity(inputs.SENTENCES[::-1]),
        "depth": attribution.Depth(corpus),
        "chord depth": attribution.Depth(corpus, distance="chord"),
        "depth without itself": attribution.Depth(inputs.SENTENCES, exclude=range(5)),
        "nearest": attribution.NearestSimilarity(corpus, n_neighbors=3),
        "nearest, fixed": attribution.NearestSimilarity(inputs.SENTENCES, n_neighbors=2, fixed=True, exclude=range(5)),
        "projection": attribution.Projection(direction),
        "projection from": attribution.Projection(direction, origin=direction[::-1].copy()),
    }


@variants("attribution", **{name: name for name in ("integrated_gradients", "occlusion", "lime", "attention_rollout")})
def explain_embeddings(method):
    encoder = inputs.tiny_encoder()
    return {
        name: xembed.attribution.explain(encoder, inputs.SENTENCES, method=method, target=target, **FEW)
        for name, target in _targets().items()
    }


@case
def explain_embeddings_otherwise():
    from sklearn.linear_model import LogisticRegression

    attribution, (texts, labels) = xembed.attribution, inputs.word_texts(n=40)
    run = functools.partial(attribution.explain, progress=False)
    encoder, bag = inputs.tiny_encoder(normalize=True), inputs.Bag()
    fitted = LogisticRegression().fit(encoder.encode(texts), labels)
    center = xembed.isotropy.AllButTheTop(1).fit(encoder.encode(texts))
    return {
        "logit": run(encoder, inputs.SENTENCES, target=attribution.Logit(fitted), method="saliency_l2"),
        "logit of one": run(encoder, inputs.SENTENCES, target=attribution.Logit(fitted, label="food")),
        "function": run(encoder, inputs.SENTENCES, target=lambda rows: rows[:, 0] ** 2, method="input_x_gradient"),
        "cls": run(inputs.tiny_encoder(pooling="cls"), inputs.SENTENCES, target=attribution.Similarity("a dog .")),
        "corrected": run(
            xembed.isotropy.wrap(encoder, center), inputs.SENTENCES, target=attribution.Similarity("a dog ."),
            method="occlusion",
        ),
        "of one's own": run(bag, inputs.SENTENCES, target=attribution.Similarity("a dog ."), method="kernel_shap"),
    }  # fmt: skip


@case
def explain_default_encoder():
    target = xembed.attribution.Similarity("The line is broken.")
    run = functools.partial(xembed.attribution.explain, inputs.default_encoder(), inputs.TEXTS, target=target)
    return {method: run(method=method, **FEW) for method in ("integrated_gradients", "occlusion", "shapley_sampling")}


@variants(
    "attribution",
    auto={},
    shapley={"method": "shapley", "n_samples": 30},
    shapley_of_masked={"method": "shapley", "deletion": "mask"},
    leave_one_out={"method": "leave_one_out", "deletion": "unk"},
    integrated_jacobian={"method": "integrated_jacobian"},
    jacobian_from_padding={"method": "integrated_jacobian", "reference": "pad", "trust": False},
)
def explain_similarity(options):
    pair = inputs.SENTENCES[1], inputs.SENTENCES[3]
    found = xembed.attribution.explain_similarity(inputs.tiny_encoder(), *pair, **options)
    return {
        "tiny": with_frame(found),
        "top": found.top(3),
        "shown": found._repr_html_(),
        "default": xembed.attribution.explain_similarity(inputs.default_encoder(), *inputs.TEXTS[:2], **options),
    }


@case
def explain_similarity_otherwise():
    pair = inputs.SENTENCES[1], inputs.SENTENCES[3]
    explain = xembed.attribution.explain_similarity
    return {
        "of one's own": explain(inputs.Bag(), *pair),
        "cls": explain(inputs.tiny_encoder(pooling="cls"), *pair),
        "unit": explain(inputs.tiny_encoder(normalize=True), *pair),
    }


@case
def explain_depth():
    explain = functools.partial(xembed.attribution.explain_depth, **FEW)
    encoder, corpus, bag = inputs.tiny_encoder(), inputs.word_texts(n=30)[0], inputs.Bag()
    tickets = inputs.tickets(30)
    return {
        "corpus": with_frame(explain(encoder, corpus[:12])),
        "reference": explain(encoder, inputs.SENTENCES, corpus, n_neighbors=3, method="integrated_gradients"),
        "depth": explain(encoder, inputs.SENTENCES, corpus, target="depth", method="occlusion"),
        "excluded": explain(bag, corpus[:5], corpus, exclude=range(5), method="kernel_shap", rng=2),
        "trusted": explain(bag, tickets[:3], tickets, exclude=range(3), method="occlusion", trust=True),
    }


def _weeks(n=24):
    return inputs.tickets(n, week=1), inputs.tickets(n, week=2)


@variants(
    "attribution",
    default={},
    leave_one_out={"method": "leave_one_out", "top": 5, "names": ("old", "new"), "trust": False},
    shapley={"method": "shapley", "min_count": 2, "fdr": 0.2, "max_texts": 8, "n_samples": 10, "rng": 3},
)
def explain_shift(options):
    texts = _weeks(10 if "method" in options else 24)
    return with_frame(xembed.attribution.explain_shift(inputs.default_encoder(), *texts, progress=False, **options))


@case
def explain_shift_of_regions():
    encoder, texts = inputs.Bag(), (inputs.tickets(90, week=1), inputs.tickets(90, week=2))
    result = xembed.shift.compare_corpora(
        *map(encoder.encode, texts), texts=texts, names=("old", "new"), n_resamples=99, projection="none"
    )
    return xembed.attribution.explain_shift(
        encoder, *texts, result=result, method="leave_one_out", trust=False, progress=False
    )


@case
def axes():
    attribution, encoder = xembed.attribution, inputs.default_encoder()
    made = attribution.make_axes(
        encoder, {"sentiment": (["awful", "bad"], ["good", "great"]), "size": (["small"], ["large", "huge"])}
    )
    given = attribution.Axes({"east": [2.0, 0.0, 1.0], "north": [0.0, 1.0, 1.0]})
    return {
        "made": {"names": made.names, "vectors": made.vectors, "orthogonal": made.orthogonal},
        "given": {"names": given.names, "vectors": given.vectors, "orthogonal": given.orthogonal},
        "explained": with_frame(attribution.explain_axes(encoder, inputs.TEXTS, inputs.TEXTS[::-1], made)),
    }


@variants(
    "attribution",
    default={"n_samples": 20, "n_texts": 6},
    chosen={
        "methods": ["occlusion", "uniform_random"], "targets": ["depth"], "n_words": (1, 2), "threshold": 0.6,
        "off_topic": ["volcano", "guitar", "falcon"], "n_texts": 8, "rng": 2,
    },
)  # fmt: skip
def trust_check(options):
    return with_frame(xembed.attribution.trust_check(inputs.tiny_encoder(), inputs.word_texts(n=24)[0], **options))


@case
def trust_check_of_ones_own():
    tickets = inputs.tickets(40)
    return xembed.attribution.trust_check(
        inputs.Bag(), tickets[:20], reference=tickets[20:], methods=["occlusion"], n_samples=20, n_texts=10
    )


# ---- other models and encoders


@case
def explain_one_layer():
    model = xembed.geco.make_one_layer(inputs.tokenizer(), 2, seed=2, hidden_size=8)
    run = functools.partial(
        xembed.attribution.explain, model, inputs.SENTENCES, tokenizer=inputs.tokenizer(), progress=False
    )
    names = ("integrated_gradients", "deep_lift", "attention_rollout", "attention_gradient", "occlusion")
    return {name: run(method=name) for name in names} | {
        "health": xembed.attribution.method_health(model, tokenizer=inputs.tokenizer(), texts=inputs.SENTENCES)
    }


@case
def explain_short_texts_exactly():
    run = functools.partial(
        xembed.attribution.explain, inputs.classifier(), ["a dog .", "she sings"], tokenizer=inputs.tokenizer(),
        progress=False,
    )  # fmt: skip
    methods = {name: run(method=name) for name in ("kernel_shap", "shapley_sampling", "lime")}
    return methods | {
        "twice": run(method="input_x_gradient", site="block_twice", baseline="zero"),
        "own words": run(method="gendered_lexicon", fitted=["dog"]),
    }


@case
def explain_more_targets():
    from sklearn.linear_model import LogisticRegression

    attribution, encoder = xembed.attribution, inputs.tiny_encoder()
    texts, labels = inputs.word_texts(n=40)
    two = LogisticRegression().fit(encoder.encode(texts), [label == "food" for label in labels])
    run = functools.partial(attribution.explain, encoder, inputs.SENTENCES, method="integrated_gradients")
    return {
        "angular": run(target=attribution.Depth(texts, distance="angular")),
        "chord without itself": run(target=attribution.Depth(inputs.SENTENCES, distance="chord", exclude=range(5))),
        "nearest without itself": run(
            target=attribution.NearestSimilarity(inputs.SENTENCES, n_neighbors=2, exclude=range(5))
        ),
        "two classes": run(target=attribution.Logit(two)),
        "block": run(target=attribution.Similarity("a dog ."), site="block"),
    }


@case
def health_of_encoders():
    options = {"texts": inputs.SENTENCES, "options": xembed.attribution.MethodOptions(n_samples=10, deletion="delete")}
    return [
        xembed.attribution.method_health(inputs.tiny_encoder(), **options),
        xembed.attribution.method_health(
            inputs.Bag(),
            target=xembed.attribution.Similarity("a dog ."),
            methods=["occlusion", "saliency_l1"],
            **options,
        ),
    ]


def _encoders():
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    texts, tiny = inputs.word_texts()[0], inputs.tiny_encoder()
    torch.manual_seed(1)
    dense = Dense(32, 8, activation_function=torch.nn.Identity())
    modules = [Transformer(str(inputs.bert_folder())), Pooling(32, "mean"), dense]
    prompted = inputs.tiny_encoder()
    prompted.model.prompts, prompted.model.default_prompt_name = {"query": "the sentence : "}, "query"
    wrap = functools.partial(xembed.isotropy.wrap, tiny)
    return {
        "dense": xembed.encoders.Encoder(SentenceTransformer(modules=modules, device="cpu")),
        "prompted": prompted,
        "weighted": inputs.tiny_encoder(pooling="weighted_mean"),
        "first layer": inputs.tiny_encoder(layer=1),
        "whitened": wrap(xembed.isotropy.Whitening("zca", shrinkage=0.2).fit(tiny.encode(texts))),
        "clusters": wrap(xembed.isotropy.ClusterIsotropy(2).fit(tiny.encode(texts))),
        "masked prompt": xembed.defsent.PromptEncoder(inputs.tiny_encoder(), "{} is [MASK] ."),
    }


@variants(
    "attribution",
    **{
        name.replace(" ", "_"): name
        for name in ("dense", "prompted", "weighted", "first layer", "whitened", "clusters")
    },
    masked_prompt="masked prompt",
)
def other_encoders(name):
    """Explain what can be explained of an encoder; what can't says so."""
    attribution, encoder = xembed.attribution, _encoders()[name]
    found = {"encoded": encoder.encode(inputs.SENTENCES)}
    tasks = {
        "last layer": lambda: attribution.explain_similarity(encoder, *inputs.SENTENCES[:2], method="last_layer"),
        "left out": lambda: attribution.explain_similarity(encoder, *inputs.SENTENCES[:2], method="leave_one_out"),
        "gradients": lambda: attribution.explain(
            encoder, inputs.SENTENCES, target=attribution.Similarity("a dog ."), method="integrated_gradients"
        ),
        "occlusion": lambda: attribution.explain(
            encoder, inputs.SENTENCES, target=attribution.Similarity("a dog ."), method="occlusion"
        ),
    }
    for task, run in tasks.items():
        try:
            found[task] = run()
        except (TypeError, ValueError) as error:
            found[task] = {"refused": type(error).__name__, "message": str(error)}
    return found


@case
def explain_shift_of_few_texts():
    texts = tuple(of_corpus[-12:] for of_corpus in inputs.topics(30, 30)[2])
    return xembed.attribution.explain_shift(inputs.tiny_encoder(), *texts, min_count=2, progress=False)
