"""All small models of the tests: encoders known by hand, random transformers saved in a folder, and what they read.

Three vocabularies: of `WORDS` (explanations), of forms "she", "he" (`small_pairs`, GECO), and of a dictionary whose
definitions name what they define (DefSent).
"""

import contextlib
import re
import string
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import pre_tokenizers, processors
from transformers.utils import logging

import xembed
from xembed.datasets import PairedSentences

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_NAMES = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))


@contextlib.contextmanager
def one_thread():
    """Let torch compute on one thread: on models this small, more only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# Encoders without a transformer.


class Bag:
    """An object with ``.encode`` only: a constant plus a vector for each word, fixed by its letters or given."""

    def __init__(self, vectors=None, width=8, bias=1.0):
        self.vectors = {word: np.asarray(vector, dtype=float) for word, vector in (vectors or {}).items()}
        self.width = len(next(iter(self.vectors.values()))) if self.vectors else width
        self.bias = np.eye(self.width)[0] * bias

    def vector(self, word):
        if word not in self.vectors:
            drawn = np.random.default_rng(zlib.crc32(word.encode())).normal(size=self.width)
            self.vectors[word] = drawn / np.linalg.norm(drawn)
        return self.vectors[word]

    def encode(self, texts):
        words = [re.findall(r"\w+", text) for text in texts]
        return np.stack(
            [self.bias + sum((self.vector(word) for word in of_text), np.zeros(self.width)) for of_text in words]
        )


class CountedWords:
    """An encoder of one's own: how often each of its words is in a text, and a constant."""

    def __init__(self, words, empty=True):
        self.words, self.empty, self.asked = list(words), empty, []

    def encode(self, texts):
        self.asked += list(texts)
        if not self.empty and any(not text.strip() for text in texts):
            raise ValueError("no empty texts, please")
        return np.array([[1.0, *(text.split().count(word) for word in self.words)] for text in texts])


class RandomTexts:
    """An encoder of one's own that gives each text a random vector of any length, the same each time."""

    def __init__(self, width=6):
        self.width = width

    def encode(self, texts):
        return np.stack([np.random.default_rng(zlib.crc32(text.encode())).normal(size=self.width) for text in texts])


def unit(rows):
    rows = np.asarray(rows, dtype=float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# Tokenizers.


def _wordpiece(vocabulary, max_length, lowercase=False):
    ids = {token: number for number, token in enumerate(vocabulary)}
    backend = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]"))
    if lowercase:
        backend.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, ids[token]) for token in ("[CLS]", "[SEP]")]
    )
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=max_length, **_NAMES)


def _from_vocabulary(folder, vocabulary, **options):
    """Return BERT's own tokenizer of a vocabulary, which it writes to the folder."""
    path = Path(folder, "vocab.txt")
    path.write_text("\n".join(vocabulary), encoding="utf-8")
    return transformers.BertTokenizer(str(path), **options)


_TEXT = (
    "she he her his him king queen man woman boy girl actor actress sing sings the a cat dog saw met old young good "
    "bad very in at home park and . , who left early late with two three friends"
)
WORDS = _TEXT.split()
# "singer", "actors" and the like are two tokens.
ENDINGS = ("##er", "##s", "##ing", "##ly")


def tiny_tokenizer(max_length=64):
    """Return a fast, lower-casing WordPiece tokenizer of about fifty words; what it does not know is [UNK]."""
    return _wordpiece((*SPECIAL, *WORDS, *ENDINGS), max_length, lowercase=True)


VERBS = ["sings", "sleeps", "reads", "waits", "walks", "writes", "cooks", "paints", "swims", "laughs"]
PLACES = ["home", "here", "outside", "alone"]
_FORMS = ["she", "he", "they", "female", "male", "or", ":", ".", ",", "and", "often", "mask", "[", "]", "un", "##kind"]


def word_tokenizer(max_length=40):
    """Return a WordPiece tokenizer of what `small_pairs` are made of."""
    return _wordpiece((*SPECIAL, *_FORMS, *VERBS, *PLACES), max_length)


def byte_tokenizer(max_length=40):
    """Return a byte-level tokenizer of the same, in which words have a token with the blank before them."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocabulary = {token: i for i, token in enumerate([*special, *sorted({*pre_tokenizers.ByteLevel.alphabet()})])}
    merges = []
    for word in [*_FORMS, *VERBS, *PLACES]:
        whole = "Ġ"
        for letter in word:
            if whole + letter not in vocabulary:
                merges.append((whole, letter))
                vocabulary[whole + letter] = len(vocabulary)
            whole += letter
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=max_length, unk_token="<unk>", mask_token="<mask>", **names
    )


# Random transformers.

_KINDS = {kind.lower(): kind for kind in ("Bert", "DistilBert", "Roberta", "GPT2", "Llama")}


def _shape(kind, n_blocks, width=32):
    if kind.lower() == "distilbert":
        return {"dim": width, "n_layers": n_blocks, "n_heads": 2, "hidden_dim": 2 * width}
    return {
        "hidden_size": width, "num_hidden_layers": n_blocks, "num_attention_heads": 2, "intermediate_size": 2 * width,
    }  # fmt: skip


def _random(kind, what, seed=0, **config):
    """Return a random ``{kind}{what}``, for example BertForMaskedLM; the state of torch's generator stays."""
    kind = _KINDS[kind.lower()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = getattr(transformers, kind + what)(getattr(transformers, f"{kind}Config")(**config))
    return made.eval()


def _save(folder, model, tokenizer):
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    if bars:
        logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


def tiny_bert(n_classes=2, seed=0, **config):
    """Return a random BERT classifier of two layers whose scores differ well between texts."""
    options = {"vocab_size": len(SPECIAL) + len(WORDS) + len(ENDINGS), "max_position_embeddings": 64}
    options |= _shape("Bert", 2) | {"num_labels": n_classes, "initializer_range": 0.3}
    return _random("Bert", "ForSequenceClassification", seed, **(options | config))


def tiny_decoder(kind, n_classes=2, **config):
    """Return a random classifier of two layers, GPT2 or Llama, that reads the last token which is no padding."""
    options = {
        "vocab_size": len(SPECIAL) + len(WORDS) + len(ENDINGS),
        "num_labels": n_classes,
        "initializer_range": 0.3,
    }
    options |= {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    if kind == "GPT2":
        options |= {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
    else:
        options |= _shape(kind, 2) | {"max_position_embeddings": 64}
    return _random(kind, "ForSequenceClassification", **(options | config))


class BagOfWords(torch.nn.Module):
    """A classifier whose logit of class 1 is the sum of the values of the tokens, that of class 0 its negative.

    Tokens that are not in ``values`` are worth 0, the special ones too. Attributions are thus known by hand.
    """

    def __init__(self, values, tokenizer=None):
        super().__init__()
        tokenizer = tokenizer or tiny_tokenizer()
        self.embedding = torch.nn.Embedding(len(tokenizer), 2)
        with torch.no_grad():
            self.embedding.weight.zero_()
            for token, value in values.items():
                place = tokenizer.convert_tokens_to_ids(token)
                assert place != tokenizer.unk_token_id or token == "[UNK]", token
                self.embedding.weight[place] = torch.tensor([-value, value])
        self.n_calls = 0

    def get_input_embeddings(self):
        return self.embedding

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None):
        self.n_calls += 1
        vectors = self.embedding(input_ids) if inputs_embeds is None else inputs_embeds
        if attention_mask is not None:
            vectors = vectors * attention_mask[..., None]
        return SimpleNamespace(logits=vectors.sum(dim=1))


WIDTH = 32


def save_tiny(folder, kind="Bert", max_length=48):
    """Save a random transformer of three blocks that reads `WORDS`, and return the folder."""
    tokenizer = tiny_tokenizer(max_length)
    config = {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "pad_token_id": 0, "initializer_range": 0.3}
    return _save(folder, _random(kind, "Model", **config, **_shape(kind, 3, WIDTH)), tokenizer)


def save_small(folder, kind="bert", *, masked_lm=False, max_length=40, **options):
    """Save a random transformer of two blocks that reads `small_pairs`, and return the folder."""
    tokenizer = byte_tokenizer(max_length) if kind.lower() == "roberta" else word_tokenizer(max_length)
    config = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 42 if kind.lower() == "roberta" else 40,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.2,
    }
    model = _random(kind, "ForMaskedLM" if masked_lm else "Model", **config, **_shape(kind, 2), **options)
    return _save(folder, model, tokenizer)


def save_lexicographer(folder, *, masked_lm=False, dropout=0.1, positions=40):
    """Save a random BERT of two blocks that reads `definitions`, and return the folder."""
    folder.mkdir(parents=True)
    words = [*TOPICS, *QUALITIES, *_FILLERS, *_PUNCTUATION, "mask"]
    vocabulary = [*SPECIAL, *words, *(word for group in TOPICS.values() for word in group)]
    config = {"vocab_size": len(vocabulary), "max_position_embeddings": positions, "initializer_range": 0.2}
    config |= {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    model = _random("Bert", "ForMaskedLM" if masked_lm else "Model", **config, **_shape("Bert", 2))
    return _save(folder, model, _from_vocabulary(folder, vocabulary, model_max_length=positions))


def save_speller(folder, *, edit=None, positions=40, kind="Bert", chat_template=None, **tokenizer_options):
    """Save a random transformer of three blocks and width 16 that reads any letters, and return the folder.

    ``edit`` is called with the model before it is saved.
    """
    folder.mkdir(parents=True)
    words = ["the", "a", "cat", "dog", "sun", "sleeps", "barks", "rises", "and", "then", "not"]
    letters = string.ascii_lowercase
    vocabulary = [*SPECIAL, *words, *letters[1:], *("##" + letter for letter in letters)]  # "a" is among the words
    tokenizer = _from_vocabulary(folder, vocabulary, **tokenizer_options)
    tokenizer.chat_template = chat_template
    # The usual 0.02 makes all embeddings nearly equal.
    config = {"vocab_size": len(vocabulary), "max_position_embeddings": positions, "initializer_range": 0.5}
    config |= {"pad_token_id": 1} if kind.lower() == "roberta" else {}
    model = _random(kind, "Model", **config, **_shape(kind, 3, 16))
    if edit is not None:
        with torch.no_grad():
            edit(model)
    return _save(folder, model, tokenizer)


def with_prompt(encoder, prompt):
    """Give an encoder a prompt that it puts before each text."""
    encoder.model.prompts = {"query": prompt}
    encoder.model.default_prompt_name = "query"
    return encoder


def with_modules(folder, *modules):
    """Return an encoder of a saved transformer and what comes behind it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer

    return xembed.encoders.Encoder(SentenceTransformer(modules=[Transformer(str(folder)), *modules], device="cpu"))


# What they learn from.


def small_pairs(n=40, name="small", *, length=0):
    """Return ``n`` sentences in two forms; their lengths differ."""
    sentences = [
        [who, *["and", verb] * (i % 3 + length), VERBS[i % 10], PLACES[i % 4], "."]
        for i in range(n)
        for verb in [VERBS[(i * 7) % 10]]
        for who in ("she", "he")
    ]
    return PairedSentences(
        name=name,
        sentences=sentences,
        ground_truth=[[1] + [0] * (len(words) - 1) for words in sentences],
        labels=[0, 1] * n,
        groups=[i for i in range(n) for _ in range(2)],
        classes=("female", "male"),
    )


TOPICS = {
    "animal": ["cat", "dog", "horse", "bird", "fish", "cow"],
    "food": ["bread", "cheese", "apple", "soup", "rice", "cake"],
    "weather": ["rain", "snow", "wind", "storm", "fog", "sun"],
    "tool": ["hammer", "saw", "drill", "knife", "spade", "axe"],
    "place": ["house", "school", "church", "shop", "farm", "park"],
    "cloth": ["shirt", "coat", "hat", "shoe", "scarf", "glove"],
}
QUALITIES = ["small", "large", "bright", "dark", "soft", "hard"]
_FILLERS = ["a", "kind", "of", "the", "that", "is", "known", "as", "this", "sentence", "means", "very", "one", "by"]
_PUNCTUATION = [":", '"', ".", "[", "]", "(", ")"]


def definitions():
    """Return 36 entries; each has two definitions by its topic and quality, so that no two are alike."""
    return {
        word: [f"a {quality} kind of {topic}", f"the {topic} that is {quality}"]
        for topic, words in TOPICS.items()
        for word, quality in zip(words, QUALITIES, strict=True)
    }
