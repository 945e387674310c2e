"""Cases of xembed.defsent."""

import net_inputs as inputs
from net_record import family, own_folder, variants

import xembed

case = family("defsent")
FAST = {
    "learning_rate": 3e-3, "epochs": 2, "batch_size": 16, "log_every": 2, "validation_fraction": 0.2, "device": "cpu",
    "progress": False,
}  # fmt: skip


def _trained(model):
    folder = own_folder() / "model"
    model.save(folder)
    return {
        "result": model.result_,
        "frame": model.result_.to_frame(),
        "history": model.history_,
        "encoded": model.encoder_.encode(inputs.SENTENCES[:3]),
        "loaded": xembed.load_encoder(folder, device="cpu").encode(inputs.SENTENCES[:3]),
    }


@variants("defsent", mean={}, cls={"pooling": "cls", "random_state": 2}, max={"pooling": "max", "weight_decay": 0.1})
def defsent(options):
    model = xembed.defsent.DefSent(inputs.bert_folder("BertForMaskedLM"), **FAST | options)
    return _trained(model.fit(inputs.definitions() | {"polar bear": "a large animal"}))


@variants(
    "defsent",
    default={},
    two_rounds={"rounds": 2, "projection": "whitening", "entry_scale": (1.0, 0.01)},
    ica={"projection": "ica", "projection_rounds": "all", "normalize_entries": True},
    no_projection={"projection": None, "entry_pooling": "ac", "shared_definitions": "drop"},
    pooler={"head": "pooler", "n_sampled": 5, "warmup": 0.2, "dropout": 0.3, "random_state": 1},
    identity={"head": "identity", "softmax_chunk": 3, "patience": 1, "eval_every": 1},
)
def defsent_plus(options):
    seen = []
    model = xembed.defsent.DefSentPlus(inputs.tiny_encoder(), **FAST | {"rounds": 1, "dropout": None} | options)
    model.fit(inputs.definitions(), callback=lambda step: seen.append(step))
    return _trained(model) | {"entries": model.entry_embeddings_, "steps": seen}


@case
def defsent_plus_validated():
    given = inputs.definitions()
    train = {word: texts for word, texts in given.items() if word not in ("cow", "cake")}
    held_out = {word: given[word] for word in ("cow", "cake")}
    model = xembed.defsent.DefSentPlus(inputs.tiny_encoder(), **FAST | {"rounds": 1, "restart": True})
    return model.fit(xembed.datasets.Dictionary.from_mapping(train), held_out).result_


@case
def defsent_plus_resumed():
    """Stop after the first round, and go on from the checkpoint."""

    def stop(step):
        if step.round == 2:
            raise KeyboardInterrupt

    options = FAST | {"rounds": 2, "dropout": None, "checkpoint_dir": own_folder() / "checkpoints"}
    try:
        xembed.defsent.DefSentPlus(inputs.tiny_encoder(), **options).fit(inputs.definitions(), callback=stop)
    except KeyboardInterrupt:
        model = xembed.defsent.DefSentPlus(inputs.tiny_encoder(), **options).fit(inputs.definitions())
    return _trained(model)


@case
def prompt_encoder():
    encoder = xembed.defsent.PromptEncoder(inputs.tiny_encoder(), 'this sentence : "{}" means [MASK] .')
    return {
        "encoded": encoder.encode(inputs.SENTENCES),
        "template": encoder.template,
        "dimension": encoder.dimension,
        "fingerprint": encoder.fingerprint,
        "described": encoder.describe(),
    }


@case
def defsent_plus_with_a_template():
    options = FAST | {"rounds": 1, "template": "{} is [MASK] ."}
    return xembed.defsent.DefSentPlus(inputs.tiny_encoder(), **options).fit(inputs.definitions()).result_


@variants("defsent", linear="linear", orthogonal="orthogonal")
def heads(head):
    options = FAST | {"rounds": 1, "head": head, "validation_fraction": 0.0, "max_grad_norm": 0.1, "weight_decay": 0.1}
    return _trained(xembed.defsent.DefSentPlus(inputs.tiny_encoder(), **options).fit(inputs.definitions()))


@case
def defaults():
    options = FAST | {"learning_rate": None, "epochs": 1}
    model = xembed.defsent.DefSent(inputs.bert_folder("BertForMaskedLM"), max_length=8, **options)
    return _trained(model.fit(inputs.definitions()))


@case
def defsent_resumed_within_a_round():
    def stop(step):
        if step.step == 3:
            raise KeyboardInterrupt

    options = FAST | {"checkpoint_dir": own_folder() / "checkpoints", "checkpoint_every": 1, "epochs": 3}
    folder = inputs.bert_folder("BertForMaskedLM")
    try:
        xembed.defsent.DefSent(folder, **options).fit(inputs.definitions(), callback=stop)
    except KeyboardInterrupt:
        return _trained(xembed.defsent.DefSent(folder, **options).fit(inputs.definitions()))


@case
def defsent_plus_of_prompts():
    encoder = xembed.defsent.PromptEncoder(inputs.tiny_encoder(), "{} is [MASK] .")
    options = FAST | {"rounds": 1, "pooling": "prompt", "max_length": 16}
    model = xembed.defsent.DefSentPlus(encoder, **options).fit(inputs.definitions())
    return {"result": model.result_, "encoded": model.encoder_.encode(inputs.SENTENCES[:3])}
