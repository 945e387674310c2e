"""A default encoder for all tests, tiny models made on the spot, and a cache folder of their own."""

from __future__ import annotations

import socket
import string

import pytest

import xembed

WORDS = ["the", "a", "cat", "dog", "sun", "sleeps", "barks", "rises", "and", "then", "not"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep the user's cache out of the tests."""
    folder = tmp_path / "xembed-cache"
    monkeypatch.setenv("XEMBED_CACHE", str(folder))
    return folder


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"network access: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="session")
def default():
    return xembed.load_encoder(device="cpu")


def make_tokenizer(folder, **options):
    from transformers import BertTokenizer

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = list(string.ascii_lowercase)
    vocabulary = special + WORDS + letters[1:] + ["##" + letter for letter in letters]  # "a" is among the words
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    return BertTokenizer(str(folder / "vocab.txt"), **options), len(vocabulary)


@pytest.fixture(scope="session")
def make_tiny(tmp_path_factory):
    """Return a function that saves a random BERT of 3 blocks with 40 positions, as plain checkpoint."""

    def make(*, edit=None, positions=40, kind="bert", chat_template=None, **tokenizer_options):
        import torch
        from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

        folder = tmp_path_factory.mktemp("models") / "tiny"
        folder.mkdir()
        tokenizer, size = make_tokenizer(folder, **tokenizer_options)
        tokenizer.chat_template = chat_template
        shape = {
            "vocab_size": size,
            "hidden_size": 16,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": positions,
            "initializer_range": 0.5,  # the usual 0.02 makes all embeddings nearly equal
        }
        torch.manual_seed(0)
        if kind == "bert":
            model = BertModel(BertConfig(**shape))
        else:
            model = RobertaModel(RobertaConfig(**shape, pad_token_id=1))
        if edit is not None:
            with torch.no_grad():
                edit(model)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_folder(make_tiny):
    return make_tiny()


@pytest.fixture(scope="session")
def tiny(tiny_folder):
    return xembed.load_encoder(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def sentence_folder(tiny_folder, tmp_path_factory):
    """A saved SentenceTransformer: Transformer, pooling of the first token, Dense from 16 to 4, unit length."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    torch.manual_seed(1)
    modules = [Transformer(str(tiny_folder)), Pooling(16, "cls"), Dense(16, 4), Normalize()]
    folder = tmp_path_factory.mktemp("models") / "sentence-tiny"
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder
