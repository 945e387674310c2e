"""Tiny models made on the spot, and a cache folder of their own."""

import socket

import pytest
import torch
from models import save_speller

import xembed


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Let no test find what another has embedded."""
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
def default(encoder):
    return encoder


@pytest.fixture(scope="session")
def make_tiny(tmp_path_factory):
    """Return `save_speller` for a folder of its own."""
    return lambda **options: save_speller(tmp_path_factory.mktemp("models") / "tiny", **options)


@pytest.fixture(scope="session")
def tiny_folder(make_tiny):
    return make_tiny()


@pytest.fixture(scope="session")
def tiny(tiny_folder):
    return xembed.load_encoder(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def sentence_folder(tiny_folder, tmp_path_factory):
    """A saved SentenceTransformer: Transformer, pooling of the first token, Dense from 16 to 4, unit length."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    torch.manual_seed(1)
    modules = [Transformer(str(tiny_folder)), Pooling(16, "cls"), Dense(16, 4), Normalize()]
    folder = tmp_path_factory.mktemp("models") / "sentence-tiny"
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder))
    return folder
