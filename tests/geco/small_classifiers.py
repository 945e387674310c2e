"""Small models of several kinds, saved in a folder, and pairs that they can learn."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaModel,
)

from xembed.datasets import PairedSentences
from xembed.encoders._load import quiet

VERBS = ["sings", "sleeps", "reads", "waits", "walks", "writes", "cooks", "paints", "swims", "laughs"]
PLACES = ["home", "here", "outside", "alone"]
WORDS = ["she", "he", "they", "female", "male", "or", ":", ".", ",", "and", "often", "mask", "[", "]", "un", "##kind"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
BYTE_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]

SIZES = {
    "bert": dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64),
    "roberta": dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64),
    "distilbert": dict(dim=32, n_layers=2, n_heads=2, hidden_dim=64),
}
CONFIGS = {"bert": BertConfig, "roberta": RobertaConfig, "distilbert": DistilBertConfig}
BASES = {"bert": BertModel, "roberta": RobertaModel, "distilbert": DistilBertModel}
MASKED = {"bert": BertForMaskedLM, "roberta": RobertaForMaskedLM, "distilbert": DistilBertForMaskedLM}


def word_tokenizer(model_max_length=40):
    """Return a WordPiece tokenizer."""
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *WORDS, *VERBS, *PLACES])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=model_max_length, **names)


def byte_tokenizer(model_max_length=40):
    """Return a byte-level tokenizer in which words have a token with the blank before them."""
    words = [*WORDS, *VERBS, *PLACES]
    alphabet = sorted({*pre_tokenizers.ByteLevel.alphabet()})
    vocabulary = {token: i for i, token in enumerate([*BYTE_SPECIAL, *alphabet])}
    merges = []
    for word in words:
        whole = "Ġ"
        for letter in word:
            if whole + letter not in vocabulary:
                merges.append((whole, letter))
                vocabulary[whole + letter] = len(vocabulary)
            whole += letter
    backend = Tokenizer(models.BPE(vocabulary, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = dict(
        bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=model_max_length, mask_token="<mask>", **names
    )


def save_small(folder, kind="bert", *, masked_lm=False, max_length=40, **options):
    """Save a random model of 2 blocks and width 32 with its tokenizer; return the folder."""
    tokenizer = byte_tokenizer(max_length) if kind == "roberta" else word_tokenizer(max_length)
    config = CONFIGS[kind](
        vocab_size=len(tokenizer),
        max_position_embeddings=42 if kind == "roberta" else 40,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.2,
        **SIZES[kind],
        **options,
    )
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        (MASKED if masked_lm else BASES)[kind](config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


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
