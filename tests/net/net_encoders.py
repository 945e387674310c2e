"""Cases of xembed.encoders."""

import net_inputs as inputs
from net_record import family, own_folder, variants

import xembed

case = family("encoders")
POOLINGS = ("mean", "cls", "max", "last_token", "weighted_mean")


def _described(encoder):
    names = ("dimension", "max_length", "fingerprint", "device")
    return {name: getattr(encoder, name) for name in names} | {"described": encoder.describe()}


@case
def default_encoder():
    encoder = inputs.default_encoder()
    texts = inputs.tickets(14) + inputs.TEXTS
    return _described(encoder) | {"encoded": encoder.encode(texts, batch_size=8)}


@variants(
    "encoders",
    **{pooling: {"pooling": pooling} for pooling in POOLINGS},
    unit={"normalize": True},
    first_layer={"layer": 1},
    embeddings={"layer": 0, "pooling": "max"},
    short={"max_length": 5},
    half={"dtype": "bfloat16"},
)
def tiny_encoder(options):
    encoder = inputs.tiny_encoder(**options)
    return _described(encoder) | {"encoded": encoder.encode(inputs.SENTENCES, batch_size=2)}


@case
def details():
    encoder = inputs.tiny_encoder()
    first = encoder.encode_detailed(inputs.SENTENCES + inputs.SENTENCES[:2])
    return [first, encoder.encode_detailed(inputs.SENTENCES[::-1]), encoder.encode_detailed(["a dog ."], cache=False)]


@case
def cache():
    folder = own_folder() / "cache"
    xembed.encoders.encode_texts(inputs.tiny_encoder(), inputs.SENTENCES, cache=folder)
    info = xembed.encoders.cache_info(folder)
    about = {name: info[name] for name in sorted(info) if name.startswith("n_")}
    return {"info": about, "cleared": xembed.encoders.clear_cache(folder)}


@case
def any_encoder():
    encoders = xembed.encoders
    return {
        "bag": encoders.encode_texts(inputs.Bag(), inputs.TEXTS + inputs.TEXTS[:1]),
        "described": encoders.describe_encoder(inputs.Bag()),
        "tiny": encoders.encode_texts(inputs.tiny_encoder(), inputs.TEXTS, batch_size=2, cache=False),
        "tiny described": encoders.describe_encoder(inputs.tiny_encoder()),
    }


@case
def encode_layers():
    found = xembed.encoders.encode_layers(inputs.tiny_encoder(), inputs.SENTENCES, poolings=POOLINGS)
    return {
        "all": dict(found),
        "facts": [found.layers, found.poolings, found.n_blocks, found.n_texts, found.n_truncated],
        "some": dict(
            xembed.encoders.encode_layers(inputs.tiny_encoder(), inputs.SENTENCES, layers=[-1, 1], batch_size=2)
        ),
        "default": dict(
            xembed.encoders.encode_layers(
                inputs.default_encoder(), inputs.TEXTS, poolings=("mean", "cls"), layers=[0, 3, 6]
            )
        ),
    }


@case
def truncate():
    short = xembed.encoders.truncate(inputs.tiny_encoder(), 1)
    return _described(short) | {"encoded": short.encode(inputs.SENTENCES)}


@case
def sentence_transformer():
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    torch.manual_seed(1)
    modules = [Transformer(str(inputs.bert_folder())), Pooling(32, "cls"), Dense(32, 4), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(own_folder() / "model"))
    encoder = xembed.load_encoder(own_folder() / "model", device="cpu")
    return _described(encoder) | {"encoded": encoder.encode(inputs.SENTENCES)}
