"""Models small enough for tests: a random BERT classifier, a bag of words with known values, and their tokenizer."""

import contextlib
from types import SimpleNamespace

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_TEXT = (
    "she he her his him king queen man woman boy girl actor actress sing sings the a cat dog saw met old young good "
    "bad very in at home park and . , who left early late with two three friends"
)
WORDS = _TEXT.split()
# "singer", "actors" and the like are two tokens.
ENDINGS = ("##er", "##s", "##ing", "##ly")


@contextlib.contextmanager
def one_thread():
    """Let torch compute on one thread: on models this small, more only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def tiny_tokenizer(max_length=64):
    """Return a fast, lower-casing WordPiece tokenizer of about fifty words; what it does not know is [UNK]."""
    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *WORDS, *ENDINGS))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def tiny_bert(n_classes=2, seed=0, **config):
    """Return a random BERT classifier of two layers whose scores differ well between texts."""
    options = {
        "vocab_size": len(SPECIAL) + len(WORDS) + len(ENDINGS),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "num_labels": n_classes,
        "initializer_range": 0.3,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BertForSequenceClassification(BertConfig(**(options | config))).eval()


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
