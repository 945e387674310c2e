"""Small fixed inputs: arrays from seeds, texts of the bundled corpora, and tiny models made on the spot."""

import functools
import zlib

import numpy as np
from net_record import shared_folder

import xembed

TOPICS = {
    "animal": ["cat", "dog", "horse", "bird", "fish", "cow"],
    "food": ["bread", "cheese", "apple", "soup", "rice", "cake"],
    "weather": ["rain", "snow", "wind", "storm", "fog", "sun"],
}
QUALITIES = ["small", "large", "bright", "dark", "soft", "hard"]
_OTHERS = (
    "a kind of the that is known as this sentence means very one by she he they her his him king queen man woman boy "
    "girl actor actress sings sleeps reads waits walks writes saw met old young good bad in at home here outside alone "
    "park and who left early late with two three friends female male or often mask"
)
MARKS = [":", '"', ".", ",", "[", "]", "(", ")"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ENDINGS = ["##er", "##s", "##ing", "##ly"]
VOCABULARY = list(
    dict.fromkeys(
        [
            *SPECIAL,
            *TOPICS,
            *QUALITIES,
            *_OTHERS.split(" "),
            *MARKS,
            *(w for ws in TOPICS.values() for w in ws),
            *ENDINGS,
        ]
    )
)
# "singer" and the like are two tokens, "zebra" is none.
SENTENCES = [
    "she sings at home .",
    "he saw the old singer in the park .",
    "the actress left early with two friends .",
    "the king met a young zebra .",
    "they wait outside , alone .",
]
TEXTS = [
    "The router drops its connection every evening.",
    "My bill is wrong again, please check it.",
    "An engineer came on Monday and fixed the line.",
    "The cat sleeps on the warm windowsill.",
    "Interest rates were raised by the central bank.",
    "How do I reset the password of my account?",
]


# ---- arrays


def rng(seed=0):
    return np.random.default_rng(seed)


def topics(n=90, m=80):
    """Return two corpora on two topics, with a third one in the second, and texts for both."""
    draw = rng()
    centers = 3 * np.eye(3, 8)
    of_first, of_second = draw.integers(0, 2, n), np.r_[draw.integers(0, 2, m - 20), np.full(20, 2)]
    F, G = (centers[topic] + draw.normal(0.4, 0.5, (len(topic), 8)) for topic in (of_first, of_second))
    words = ("the router is slow", "my bill is wrong", "a scam call came")
    texts = tuple(
        [f"{words[topic]} {VOCABULARY[20 + (7 * i) % 60]}{extra * (i % 3)}" for i, topic in enumerate(of_rows)]
        for of_rows, extra in ((of_first, "!"), (of_second, " again ."))
    )
    return F, G, texts


def cloud(n=80, d=10, seed=1):
    """Return a cloud of very different variances, off the origin, with one dead and one dominant dimension."""
    X = rng(seed).normal(size=(n, d)) * np.linspace(0.3, 2.0, d) + 0.5
    X[:, 0] *= 12
    X[:, -1] = 1.0
    return X


def stream(n=240):
    X = rng(2).normal(1.0, 1.0, size=(n, 6))
    X[n // 2 :, 0] *= -1
    return X


def brief(array):
    """Return the sums and some rows of a long array: enough to see whether any number changed."""
    array = np.asarray(array, dtype=np.float64)
    return {"n": len(array), "sum": array.sum(axis=0), "squares": (array**2).sum(axis=0), "some": array[::97]}


# ---- texts


def tickets(n=40, week=None):
    table = xembed.datasets.load_corpora("support_tickets")
    table = table if week is None else table.where(week=week)
    places = np.linspace(0, len(table.texts) - 1, n).astype(int)
    return [table.texts[place] for place in places]


def paired(n=24, variant="all", split="train"):
    return xembed.datasets.load_gendered_pairs(variant, split).sample(n, rng=0)


def small_pairs(n=20, name="small"):
    """Return sentences of the vocabulary in two forms that differ in the first and in the last word."""
    verbs, places = ["sings", "sleeps", "reads", "waits", "walks"], ["home", "here", "outside", "alone"]
    rows = [
        [who, *["and", "often"][: i % 3], verbs[i % 5], places[i % 4], verbs[(3 * i) % 5], sex]
        for i in range(n)
        for who, sex in (("she", "female"), ("he", "male"))
    ]
    return xembed.datasets.PairedSentences(
        name=name,
        sentences=rows,
        ground_truth=[[1] + [0] * (len(words) - 2) + [1] for words in rows],
        labels=[0, 1] * n,
        groups=[i for i in range(n) for _ in range(2)],
        classes=("female", "male"),
    )


def sts_pairs(name="pairs", seed=3, n=40):
    """Return pairs of random words of the vocabulary that share 0 to 5 of them; the score is how many."""
    draw = rng(seed)
    words = [word for of_topic in TOPICS.values() for word in of_topic]
    first, second, scores = [], [], []
    for i in range(n):
        chosen = draw.permutation(words)
        shared = int(draw.integers(0, 6))
        first.append(" ".join(chosen[:5]) + f" {seed}-{i}")
        second.append(" ".join([*chosen[:shared], *chosen[5 : 10 - shared]]) + f" {seed}:{i}")
        scores.append(shared)
    return xembed.datasets.STSPairs(name, first, second, scores)


def word_texts(seed=5, n=60):
    """Return texts of five words, and the topic of the first word of each."""
    draw = rng(seed)
    of_word = {word: topic for topic, words in TOPICS.items() for word in words}
    rows = [list(draw.choice(list(of_word), 5, replace=False)) for _ in range(n)]
    return [" ".join(row) + f" {seed}-{i}" for i, row in enumerate(rows)], [of_word[row[0]] for row in rows]


def definitions():
    """Return 18 entries with two definitions each, by topic and quality."""
    return {
        word: [f"a {quality} kind of {topic}", f"the {topic} that is {quality}"]
        for topic, words in TOPICS.items()
        for word, quality in zip(words, QUALITIES, strict=True)
    }


# ---- encoders and models


class Bag:
    """An object with ``.encode`` only: a constant plus a vector for each word, fixed by its letters."""

    def __init__(self, width=12, bias=1.0):
        self.width, self.bias = width, bias

    def vector(self, word):
        drawn = rng(zlib.crc32(word.encode())).normal(size=self.width)
        return drawn / np.linalg.norm(drawn)

    def encode(self, texts):
        constant = np.eye(self.width)[0] * self.bias
        return np.stack(
            [constant + sum(map(self.vector, text.lower().split()), np.zeros(self.width)) for text in texts]
        )


@functools.cache
def default_encoder():
    return xembed.load_encoder(device="cpu")


def tokenizer(max_length=40):
    """Return a fast, lower-casing WordPiece tokenizer of the vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    numbers = {token: number for number, token in enumerate(VOCABULARY)}
    backend = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=max_length, **names)


def bert(kind="BertModel", **options):
    """Return a random BERT of two blocks and width 32 whose outputs differ well between texts."""
    import torch
    import transformers

    config = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 48,
        "pad_token_id": 0,
        "initializer_range": 0.3,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return getattr(transformers, kind)(transformers.BertConfig(**config | options)).eval()


@functools.cache
def bert_folder(kind="BertModel"):
    """Return the folder of a saved random BERT."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = shared_folder(f"models/{kind}")
    bert(kind).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def tiny_encoder(**options):
    return xembed.load_encoder(bert_folder(), device="cpu", **{"pooling": "mean"} | options)


def classifier():
    return bert("BertForSequenceClassification", num_labels=3)


def scored(**options):
    return xembed.attribution.ScoredModel(classifier(), tokenizer(), caller="this case", **options)
