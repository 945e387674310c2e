"""Which methods are valid on a model: found out by running them."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models import BagOfWords, one_thread, tiny_bert, tiny_tokenizer

from xembed import read_result
from xembed.attribution import METHODS, Method, MethodHealth, MethodOptions, MethodOutput, method_health
from xembed.attribution import _methods as registry

TEXTS = [
    ["She", "singss", "."],
    ["The", "young", "actress", "met", "her", "bad", "dog", "."],
    ["A", "king", "left", "."],
    ["two", "old", "friends", "saw", "the", "cat", "in", "the", "park"],
]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def bert():
    return tiny_bert()


@pytest.fixture(scope="module")
def of_bert(bert):
    return method_health(bert, tokenizer=tiny_tokenizer(), texts=TEXTS)


class Relu(torch.nn.Module):
    """A mean of embeddings, two linear layers with a ReLU between them."""

    def __init__(self, act=torch.nn.ReLU):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.embedding = torch.nn.Embedding(len(tiny_tokenizer()), 16)
            self.first, self.act, self.last = torch.nn.Linear(16, 32), act(), torch.nn.Linear(32, 2)

    def get_input_embeddings(self):
        return self.embedding

    def mix(self, vectors, mask):
        return (self.act(self.first(vectors)) * mask[..., None]).sum(dim=1)

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None):
        vectors = self.embedding(input_ids) if inputs_embeds is None else inputs_embeds
        return SimpleNamespace(logits=self.last(self.mix(vectors, attention_mask)))


class Gossip(Relu):
    """A model in which each text reads the others of its batch, as a batch norm in training does."""

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None):
        output = super().forward(input_ids, attention_mask, inputs_embeds)
        output.logits = output.logits * (1 + output.logits.abs().mean())
        return output


def health(model, **options):
    return method_health(model, **({"tokenizer": tiny_tokenizer(), "texts": TEXTS} | options))


# ---- what BERT's GELU does to methods


def test_guided_backprop_and_deconvolution_are_the_gradient_without_relu(of_bert):
    for name in ("guided_backprop", "deconvolution"):
        assert of_bert[name].status == "degenerate"
        assert of_bert[name].reason == "equal to Saliency, L1: the model has no ReLU module"


def test_deep_lift_is_the_way_times_the_gradient_without_rules(of_bert):
    # Of BERT's activations captum has a rule for the tanh of the pooler only, which is near its straight part with
    # weights as small as those of pretrained models.
    found = health(tiny_bert(initializer_range=0.02), methods=["deep_lift"])["deep_lift"]
    assert found.status == "degenerate"
    assert found.reason.startswith("equal to (x − b) × gradient (rank correlation 1.000): no rule for the activations")
    assert re.search(r"its completeness error is \d+ % \(median\)$", found.reason)
    # With a tanh that saturates it is something of its own, and not what it promises.
    assert of_bert["deep_lift"].status == "degenerate"
    assert re.fullmatch(
        r"its completeness error is \d+ % \(median\): it has no rule for the model's activations",
        of_bert["deep_lift"].reason,
    )


def test_the_others_are_valid_on_bert(of_bert):
    expected = {name for name, method in METHODS.items() if method.family != "reference"}
    assert {found.method for found in of_bert.methods} == expected
    assert set(of_bert.valid) == expected - {"guided_backprop", "deconvolution", "deep_lift"}
    assert of_bert.notes == () and of_bert.model == "BertForSequenceClassification"
    assert of_bert["integrated_gradients"].reason == ""
    assert of_bert["attention_rollout"].reason == "the same for every class"


# ---- what a ReLU does


def test_guided_backprop_is_valid_with_relu():
    found = health(Relu())
    assert found["guided_backprop"].status == found["deconvolution"].status == "valid"
    assert found["guided_backprop"].reason == ""


def test_deep_lift_is_valid_where_it_has_a_rule():
    found = health(Relu(), methods=["deep_lift"])
    assert found["deep_lift"].status == "valid" and found["deep_lift"].reason == ""
    found = health(Relu(act=torch.nn.SiLU), methods=["deep_lift", "guided_backprop"])
    assert found["deep_lift"].status == found["guided_backprop"].status == "degenerate"


def test_an_idle_relu_does_not_make_a_method_valid():
    model = tiny_bert()
    model.extra = torch.nn.ReLU()
    found = health(model, methods=["guided_backprop"])
    assert (found["guided_backprop"].status, found["guided_backprop"].reason) == (
        "degenerate",
        "equal to Saliency, L1",
    )


# ---- what can't be done


def test_attention_methods_need_attention():
    found = health(BagOfWords({"she": 1.0, "bad": -2.0}))
    for name in ("attention_rollout", "attention_gradient"):
        assert found[name].status == "unsupported" and found[name].reason.startswith("it fails: ")
    assert found["integrated_gradients"].status == "valid"


def test_a_method_that_gives_the_same_for_all_words():
    texts = [["she", "left"], ["a", "bad", "dog"]]  # a token each
    found = health(BagOfWords({"she": 1.0, "bad": -2.0}), methods=["saliency_l1"], texts=texts)
    assert (found["saliency_l1"].status, found["saliency_l1"].reason) == (
        "unsupported",
        "it gives the same for all words",
    )


def broken(error):
    def run(model, rows, targets, options):
        raise error

    return run


def constant(value):
    return lambda model, rows, targets, options: MethodOutput.of([np.full(len(row.words), value) for row in rows])


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (broken(ZeroDivisionError("no rows\nat all")), "it fails: no rows\nat all"),
        (broken(NotImplementedError()), "it fails: NotImplementedError"),
        (broken(ValueError("x" * 500)), "it fails: " + "x" * 200),
        (constant(np.nan), "it gives NaN or infinity"),
        (constant(0.0), "it gives the same for all words"),
    ],
)
def test_a_method_that_fails_is_unsupported_with_its_message(bert, monkeypatch, run, reason):
    method = Method("mine", "Mine", "gradient", True, run, lambda _n, _o: (0.0, 1.0))
    monkeypatch.setitem(registry.METHODS, "mine", method)
    found = health(bert, methods=["mine", "saliency_l2"])
    assert (found["mine"].status, found["mine"].reason) == ("unsupported", reason)
    assert found["saliency_l2"].status == "valid"


def test_a_method_that_fails_on_one_text_alone_is_unsupported(bert, monkeypatch):
    def run(model, rows, targets, options):
        if len(rows) == 1:
            raise RuntimeError("needs a batch")
        return MethodOutput.of([np.arange(len(row.words), dtype=float) for row in rows])

    method = Method("mine", "Mine", "gradient", True, run, lambda _n, _o: (0.0, 1.0))
    monkeypatch.setitem(registry.METHODS, "mine", method)
    found = health(bert, methods=["mine"])
    assert (found["mine"].status, found["mine"].reason) == ("unsupported", "it fails: needs a batch")


def test_scores_that_depend_on_the_batch_are_found():
    found = health(Gossip())
    for name in ("saliency_l1", "integrated_gradients", "input_x_gradient"):
        assert found[name].status == "unsupported"
        assert found[name].reason.startswith("its values of a text depend on the other texts of the batch (by ")
    assert health(Relu())["integrated_gradients"].status == "valid"


class OnlyIds(Relu):
    def forward(self, input_ids, attention_mask=None):
        return SimpleNamespace(logits=self.last(self.mix(self.embedding(input_ids), attention_mask)))


def test_a_model_that_reads_ids_only_has_perturbation_methods():
    found = health(OnlyIds())
    families = {name: METHODS[name].family for name in found.valid}
    assert set(families.values()) == {"perturbation"}
    assert found["saliency_l1"].reason.startswith("it fails: ")
    assert "can't be called with inputs_embeds" in found.notes[0]


class TwoFaced(Relu):
    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None):
        output = super().forward(input_ids, attention_mask, inputs_embeds)
        output.logits = output.logits if inputs_embeds is None else 1.5 * output.logits
        return output


def test_other_scores_by_embeddings_are_said():
    assert health(Relu(), methods=["saliency_l2"]).notes == ()
    (note,) = health(TwoFaced(), methods=["saliency_l2"]).notes
    assert note.startswith("The model gives other scores for inputs_embeds than for input_ids (by ")


# ---- as a result


def test_methods_by_name_and_options(bert):
    found = health(bert, methods=["uniform_random", "saliency_l2"], options=MethodOptions(baseline="mask"))
    assert [status.method for status in found.methods] == ["uniform_random", "saliency_l2"]
    assert health(bert, methods="constant").valid == ("constant",)
    with pytest.raises(KeyError, match="lime"):
        found["lime"]


def test_there_and_back_through_json(of_bert, tmp_path):
    of_bert.to_json(tmp_path / "health.json")
    json.loads((tmp_path / "health.json").read_text())
    again = read_result(tmp_path / "health.json")
    assert isinstance(again, MethodHealth) and again.to_dict() == of_bert.to_dict()
    assert again["deep_lift"].reason == of_bert["deep_lift"].reason


def test_a_table(of_bert):
    frame = of_bert.to_frame()
    assert list(frame.columns) == ["method", "label", "status", "reason"]
    assert len(frame) == len(of_bert.methods)
    assert "n_degenerate=3" in repr(of_bert) and "n_unsupported=0" in repr(of_bert)


def test_the_model_is_not_changed(bert):
    before = {name: tensor.clone() for name, tensor in bert.state_dict().items()}
    health(bert, methods=["deep_lift", "attention_gradient"])
    assert all(torch.equal(before[name], tensor) for name, tensor in bert.state_dict().items())
    assert all(parameter.requires_grad for parameter in bert.parameters())


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"methods": ["lrp"]}, ValueError, r"'method' parameter of method_health must be one of .*'lime'.*Got 'lrp'"),
        ({"methods": []}, ValueError, r"'method' parameter of method_health must be one or more of .* Got none"),
        ({"texts": [["she"]]}, ValueError, "'texts' parameter of method_health must hold at least 2 texts. Got 1"),
        ({"texts": "she"}, TypeError, "for a single text pass a list"),
        ({"tokenizer": SimpleNamespace(is_fast=False)}, TypeError, "tokenizer of method_health must be a fast one"),
        ({"tokenizer": None}, ValueError, "'tokenizer' parameter of method_health must be given"),
    ],
)
def test_what_is_refused(bert, options, kind, message):
    with pytest.raises(kind, match=message):
        health(bert, **options)


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(RuntimeError, match="The model of method_health must give finite scores"):
        health(BagOfWords({"she": float("nan")}))
