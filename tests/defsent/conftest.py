"""Tiny models made on the spot, and a dictionary in which definitions name what they define."""

from __future__ import annotations

import pytest

TOPICS = {
    "animal": ["cat", "dog", "horse", "bird", "fish", "cow"],
    "food": ["bread", "cheese", "apple", "soup", "rice", "cake"],
    "weather": ["rain", "snow", "wind", "storm", "fog", "sun"],
    "tool": ["hammer", "saw", "drill", "knife", "spade", "axe"],
    "place": ["house", "school", "church", "shop", "farm", "park"],
    "cloth": ["shirt", "coat", "hat", "shoe", "scarf", "glove"],
}
QUALITIES = ["small", "large", "bright", "dark", "soft", "hard"]
FILLERS = ["a", "kind", "of", "the", "that", "is", "known", "as", "this", "sentence", "means", "very", "one", "by"]
PUNCTUATION = [":", '"', ".", "[", "]", "(", ")"]


def definitions():
    """Return 36 entries; each has two definitions by its topic and quality, so that no two are alike."""
    return {
        word: [f"a {quality} kind of {topic}", f"the {topic} that is {quality}"]
        for topic, words in TOPICS.items()
        for word, quality in zip(words, QUALITIES, strict=True)
    }


def vocabulary():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*TOPICS, *QUALITIES, *FILLERS, *PUNCTUATION, "mask"]
    return special + words + [word for group in TOPICS.values() for word in group]


@pytest.fixture(scope="session")
def dictionary():
    return definitions()


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """Return a function that saves a random BERT of 2 blocks and width 32."""

    def make(*, masked_lm=False, dropout=0.1, positions=40):
        import torch
        from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizer

        from xembed.encoders._load import quiet

        folder = tmp_path_factory.mktemp("models") / "tiny"
        folder.mkdir()
        (folder / "vocab.txt").write_text("\n".join(vocabulary()), encoding="utf-8")
        config = BertConfig(
            vocab_size=len(vocabulary()),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=positions,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            initializer_range=0.2,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = BertForMaskedLM(config) if masked_lm else BertModel(config)
        with quiet():
            model.save_pretrained(folder)
        BertTokenizer(str(folder / "vocab.txt"), model_max_length=positions).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def model_folder(make_model):
    return make_model()


@pytest.fixture(scope="session")
def encoder(model_folder):
    import xembed

    return xembed.load_encoder(model_folder, pooling="mean", device="cpu")


@pytest.fixture(scope="session")
def masked_lm_folder(make_model):
    return make_model(masked_lm=True)
