"""Tiny models made on the spot, and a dictionary in which definitions name what they define."""

import pytest
from models import definitions, save_lexicographer

import xembed


@pytest.fixture(scope="session")
def dictionary():
    return definitions()


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """Return `save_lexicographer` for a folder of its own."""
    return lambda **options: save_lexicographer(tmp_path_factory.mktemp("models") / "tiny", **options)


@pytest.fixture(scope="session")
def model_folder(make_model):
    return make_model()


@pytest.fixture(scope="session")
def encoder(model_folder):
    return xembed.load_encoder(model_folder, pooling="mean", device="cpu")


@pytest.fixture(scope="session")
def masked_lm_folder(make_model):
    return make_model(masked_lm=True)
