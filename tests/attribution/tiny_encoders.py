"""Encoders small enough for tests: random transformers, saved and loaded, and objects of one's own."""

import zlib

import numpy as np
import torch
from tiny_models import tiny_tokenizer

import xembed

WIDTH = 32
_SHAPES = {
    "Bert": {"hidden_size": WIDTH, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64},
    "DistilBert": {"dim": WIDTH, "n_layers": 3, "n_heads": 2, "hidden_dim": 64},
    "Roberta": {"hidden_size": WIDTH, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64},
}


def save_tiny(folder, kind="Bert", max_length=48):
    """Save a random transformer of three blocks and its tokenizer, and return the folder."""
    import transformers

    tokenizer = tiny_tokenizer(max_length)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(tokenizer), max_position_embeddings=64, pad_token_id=0, initializer_range=0.3, **_SHAPES[kind]
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


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
