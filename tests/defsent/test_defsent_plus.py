"""DefSent+: what training does, what it leaves alone, and what it refuses."""

import copy
import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from children import start
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import xembed
from xembed.defsent import DefSentPlus, DefSentResult, PromptEncoder
from xembed.defsent._body import Body
from xembed.defsent._definitions import read_definitions
from xembed.defsent._defsent_plus import HEADS, embed_entries, make_head, make_targets

FAST = {
    "rounds": 1,
    "learning_rate": 3e-3,
    "epochs": 5,
    "batch_size": 16,
    "log_every": 4,
    "validation_fraction": 0.2,
    "device": "cpu",
    "dropout": None,
}


def state(encoder):
    return {name: tensor.clone() for name, tensor in encoder.model.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def make_body(encoder, pooling=None):
    return Body(encoder, pooling=pooling, template="", max_length=None, device="cpu", caller="test")


class Stop(Exception):
    pass


def stop_at(number, step):
    def callback(seen):
        if (seen.round, seen.step) == (number, step):
            raise Stop

    return callback


def test_training_falls_and_finds_held_out_entries(encoder, dictionary):
    options = FAST | {"rounds": 2, "epochs": 10, "batch_size": 32, "head": "identity"}
    model = DefSentPlus(encoder, **options).fit(dictionary)
    last = model.history_[-1]
    assert last.losses[-1] < 0.7 * last.losses[0]
    assert last.validation_losses[-1] < last.validation_losses[0] - 1
    chance = np.mean([1 / rank for rank in range(1, 37)])
    assert last.validation_mrr[0] < 2 * chance and last.validation_mrr[-1] > 4 * chance
    assert last.validation_top1[-1] > 5 / 36
    assert model.entry_embeddings_.shape == (36, 32) and model.entry_embeddings_.dtype == np.float32


def test_projection_makes_the_entries_isotropic_in_its_rounds(encoder, dictionary):
    options = FAST | {"rounds": 2, "epochs": 1, "projection": "whitening"}
    model = DefSentPlus(encoder, **options, entry_scale=(1.0, 0.01)).fit(dictionary)
    first, last = model.history_
    assert (first.projected, last.projected) == (False, True)
    assert first.target_average_cosine == first.entry_average_cosine > 0.8
    assert abs(last.target_average_cosine) < 0.1 and last.entry_average_cosine > 0.8
    everywhere = DefSentPlus(encoder, **options, projection_rounds="all", normalize_entries=True).fit(dictionary)
    assert [record.projected for record in everywhere.history_] == [True, True]
    one = DefSentPlus(encoder, **options, projection_rounds=(1,)).fit(dictionary)
    assert [record.projected for record in one.history_] == [True, False]


def test_entry_embeddings_are_means_over_definitions(encoder, dictionary):
    definitions = read_definitions(dictionary, None, caller="test")
    for pooling, encoded in (("amp", "mean"), ("ac", "cls")):
        found = embed_entries(make_body(encoder), definitions, pooling, 5, lambda n: None)
        own = xembed.encoders.Encoder(make_body(encoder, encoded).model)
        for row, group in zip(found[:6], dictionary.values(), strict=False):
            np.testing.assert_allclose(row, own.encode(group, cache=False).mean(axis=0), atol=1e-5)


def test_targets_follow_their_rule():
    entries = np.random.default_rng(0).normal(3.0, [1.0, 2.0, 5.0], size=(50, 3)).astype(np.float32)
    train = np.arange(50) < 40

    def make(projection, *, normalize=False, scale=1.0):
        return make_targets(entries, train, projection=projection, normalize=normalize, scale=scale, seed=0)

    np.testing.assert_allclose(make(None, scale=2.0), 2 * entries)
    np.testing.assert_allclose(np.linalg.norm(make(None, normalize=True, scale=5.0), axis=1), 5, rtol=1e-5)
    np.testing.assert_allclose(np.cov(make("whitening")[train].T), 1e4 * np.eye(3), atol=5)
    np.testing.assert_allclose(np.cov(make("ica")[train].T, ddof=0), 1e4 * np.eye(3), atol=5)
    few = make_targets(entries[:3], train[:3], projection="ica", normalize=False, scale=1.0, seed=0)
    assert few.shape == (3, 3) and np.linalg.matrix_rank(few, tol=1e-2) == 2  # fewer entries than dimensions


def test_the_encoder_and_global_randomness_are_left_alone(encoder, dictionary):
    before, random, fingerprint = state(encoder), torch.get_rng_state(), encoder.fingerprint
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    model = DefSentPlus(encoder, **FAST, head="pooler").fit(dictionary)
    assert same(before, state(encoder)) and encoder.fingerprint == fingerprint
    assert torch.equal(random, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
    assert not encoder.model.training and not model.encoder_.model.training
    assert model.encoder_.max_length == encoder.max_length and model.encoder_.fingerprint != fingerprint
    trained = model.encoder_.model.state_dict()
    pooler = [name for name in before if ".pooler." in name]
    assert pooler and all(torch.equal(before[name], trained[name]) for name in pooler)


def test_a_seed_gives_the_same_bits_and_another_does_not(encoder, dictionary):
    torch.manual_seed(1)
    first = DefSentPlus(encoder, **FAST, n_sampled=12).fit(dictionary)
    torch.manual_seed(2)
    again = clone(first).fit(dictionary)
    assert same(state(first.encoder_), state(again.encoder_))
    assert first.result_.rounds[0].losses.tolist() == again.result_.rounds[0].losses.tolist()
    other = clone(first).set_params(random_state=1).fit(dictionary)
    assert not same(state(first.encoder_), state(other.encoder_))


@pytest.mark.parametrize("head", HEADS)
def test_heads(encoder, dictionary, head):
    model = DefSentPlus(encoder, **FAST, head=head).fit(dictionary)
    assert model.history_[0].losses[-1] < model.history_[0].losses[0] + 0.05
    layer = make_head(head, encoder.model[0].auto_model, 32)
    x = torch.randn(4, 32, generator=torch.Generator().manual_seed(0))
    if head == "pooler":
        own = encoder.model[0].auto_model.pooler.dense
        torch.testing.assert_close(layer(x), torch.tanh(own(x)))
        assert layer[0].weight.data_ptr() != own.weight.data_ptr()
    else:
        torch.testing.assert_close(layer(x), x)
    if head == "orthogonal":
        torch.optim.SGD(layer.parameters(), lr=1.0).zero_grad()
        layer(x)[:, 0].sum().backward()
        torch.optim.SGD(layer.parameters(), lr=1.0).step()
        assert not torch.allclose(layer.weight, torch.eye(32), atol=1e-3)
        torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(32), atol=1e-4, rtol=0)


def test_a_head_of_your_own_is_copied(encoder, dictionary):
    own = torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.GELU())
    before = own[0].weight.detach().clone()
    model = DefSentPlus(encoder, **FAST, head=own).fit(dictionary)
    assert torch.equal(own[0].weight, before) and model.result_.provenance["parameters"]["head"] == "Sequential"
    assert DefSentResult.from_json(model.result_.to_json()).to_json() == model.result_.to_json()


def test_pipelines_with_other_poolings(model_folder, dictionary):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    options = FAST | {"epochs": 1}
    for mode, expected in [("max", "max"), (None, "mean")]:
        modules = [Transformer(str(model_folder)), *([Pooling(32, mode)] if mode else [])]
        encoder = xembed.encoders.Encoder(SentenceTransformer(modules=modules, device="cpu"))
        assert DefSentPlus(encoder, **options).fit(dictionary).encoder_.describe()["pooling"] == expected
    modules = [Transformer(str(model_folder)), Pooling(32, ("mean", "max"))]
    encoder = xembed.encoders.Encoder(SentenceTransformer(modules=modules, device="cpu"))
    with pytest.raises(
        ValueError, match=r"'pooling' .* must be given .* own pooling \(mean\+max\) joins several to 64"
    ):
        DefSentPlus(encoder, **options).fit(dictionary)
    assert DefSentPlus(encoder, **options, pooling="cls").fit(dictionary).encoder_.dimension == 32


def test_validation_losses_have_to_be_finite(encoder, dictionary):
    huge = copy.deepcopy(encoder)
    with torch.no_grad():
        huge.model[0].auto_model.encoder.layer[-1].output.LayerNorm.weight.fill_(1e25)
    with pytest.raises(RuntimeError, match="The validation loss is not finite after step 0"):
        DefSentPlus(huge, **FAST, head="identity").fit(dictionary)


def test_a_model_without_pooler_gets_a_new_head():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = make_head("pooler", torch.nn.Linear(2, 2), 8)
    assert isinstance(head[1], torch.nn.Tanh) and head[0].weight.shape == (8, 8)


def test_only_blocks_up_to_the_layer_are_trained(model_folder, dictionary):
    encoder = xembed.load_encoder(model_folder, layer=1, pooling="mean", device="cpu")
    model = DefSentPlus(encoder, **FAST, head="identity").fit(dictionary)
    before, after = state(encoder), state(model.encoder_)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("layer.0." in name for name in changed) and not any("layer.1." in name for name in changed)
    assert model.encoder_.describe()["layer"] == 1


def test_frozen_weights_stay(encoder, dictionary):
    frozen = copy.deepcopy(encoder)
    frozen.model[0].auto_model.embeddings.requires_grad_(False)
    model = DefSentPlus(frozen, **FAST).fit(dictionary)
    before, after = state(encoder), state(model.encoder_)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and not any("embeddings" in name for name in changed)
    frozen.model.requires_grad_(False)
    with pytest.raises(ValueError, match="must have weights that require gradients"):
        DefSentPlus(frozen, **FAST, head="identity").fit(dictionary)


def test_rounds_restart_or_go_on(encoder, dictionary):
    options = FAST | {"rounds": 2, "epochs": 2, "log_every": 1}
    one = DefSentPlus(encoder, **options | {"rounds": 1}).fit(dictionary)
    restarted = DefSentPlus(encoder, **options, restart=True).fit(dictionary)
    going_on = DefSentPlus(encoder, **options, restart=False).fit(dictionary)
    for model in (restarted, going_on):
        assert model.history_[0].losses.tolist() == one.history_[0].losses.tolist()
    np.testing.assert_array_equal(restarted.entry_embeddings_, going_on.entry_embeddings_)
    definitions = read_definitions(dictionary, None, caller="test")
    np.testing.assert_allclose(
        restarted.entry_embeddings_,
        embed_entries(make_body(one.encoder_), definitions, "amp", 64, lambda n: None), atol=1e-6,
    )  # fmt: skip
    assert restarted.history_[1].losses[0] != going_on.history_[1].losses[0]
    assert not same(state(restarted.encoder_), state(going_on.encoder_))


def test_training_with_prompts_gives_a_prompt_encoder(encoder, dictionary, tmp_path):
    model = DefSentPlus(encoder, **FAST, pooling="prompt", head="identity").fit(dictionary)
    assert isinstance(model.encoder_, PromptEncoder) and model.result_.pooling == "prompt"
    assert model.history_[0].losses[-1] < model.history_[0].losses[0]
    again = DefSentPlus(PromptEncoder(encoder), **FAST, head="identity").fit(dictionary)
    assert same(state(model.encoder_), state(again.encoder_))
    model.save(tmp_path / "saved")
    result = DefSentResult.from_json(tmp_path / "saved" / "defsent.json")
    loaded = PromptEncoder(xembed.load_encoder(tmp_path / "saved", device="cpu"), result.template)
    texts = ["a small kind of animal", "[MASK]"]
    np.testing.assert_allclose(loaded.encode(texts, cache=False), model.encoder_.encode(texts, cache=False), atol=1e-6)


def test_saved_encoders_and_results_come_back(encoder, dictionary, tmp_path, capfd):
    model = DefSentPlus(encoder, **FAST, pooling="cls", entry_pooling="ac", max_length=6)
    with pytest.raises(NotFittedError):
        model.save(tmp_path / "new")
    model.fit(dictionary).save(tmp_path / "new")
    assert model.result_.n_truncated == 72 and "72 of 72 definitions are longer" in model.result_.notes[0]
    loaded = xembed.load_encoder(tmp_path / "new", device="cpu")
    assert loaded.describe()["pooling"] == "cls" and loaded.max_length == 40
    np.testing.assert_array_equal(
        loaded.encode(["the soft animal"], cache=False), model.encoder_.encode(["the soft animal"], cache=False)
    )
    result = DefSentResult.from_json(tmp_path / "new" / "defsent.json")
    assert result.to_json() == model.result_.to_json()
    assert (result.n_entries, result.n_definitions, result.n_validation, result.method) == (36, 72, 7, "defsent+")
    assert len(result.rounds) == 1 and result.rounds[0].validation_steps[0] == 0
    assert result.provenance["parameters"]["learning_rate"] == 3e-3
    with pytest.raises(FileExistsError, match="exists and is not empty"):
        model.save(tmp_path / "new")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        model.save(tmp_path / "no" / "such")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]
    assert capfd.readouterr() == ("", "")


def test_unit_length_stays_and_dense_goes(model_folder, dictionary):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    modules = [Transformer(str(model_folder)), Pooling(32, "mean"), Dense(32, 4), Normalize()]
    encoder = xembed.encoders.Encoder(SentenceTransformer(modules=modules, device="cpu"), name="four")
    model = DefSentPlus(encoder, **FAST).fit(dictionary)
    rows = model.encoder_.encode(["cat", "dog"], cache=False)
    assert rows.shape == (2, 32) and np.allclose(np.linalg.norm(rows, axis=1), 1)


def test_early_stopping_keeps_the_best_weights(encoder, dictionary, tmp_path):
    from safetensors.torch import load_file

    options = FAST | {"epochs": 30, "eval_every": 4, "head": "identity", "learning_rate": 1e-3}
    model = DefSentPlus(encoder, **options, patience=2).fit(dictionary)
    record = model.history_[0]
    assert record.stopped_early and record.n_steps < 30 * 4
    best = int(np.argmin(record.validation_losses))
    assert best > 0 and len(record.validation_losses) == best + 3
    assert record.best_step == record.validation_steps[best]
    plain = DefSentPlus(encoder, **options, checkpoint_dir=tmp_path / "run", checkpoint_every=record.best_step)
    with pytest.raises(Stop):
        plain.fit(dictionary, callback=stop_at(1, record.best_step))
    kept = load_file(tmp_path / "run" / f"defsent-weights-1-{record.best_step}.safetensors")
    trained = model.encoder_.model[0].state_dict()
    assert all(torch.equal(kept[f"weights/transformer.{name}"], tensor) for name, tensor in trained.items())


def test_validation_by_a_dictionary_of_its_own(encoder, dictionary):
    entries = list(dictionary.items())
    train, held_out = dict(entries[:30]), dict(entries[30:])
    model = DefSentPlus(encoder, **FAST).fit(train, validation=held_out)
    assert model.result_.n_validation == 6 and len(model.entry_embeddings_) == 36
    with pytest.raises(ValueError, match=r"no entry in common. Got 1 in both \(first: 'cat'\)"):
        DefSentPlus(encoder, **FAST).fit(train, validation={"cat": "a kind of animal"})
    none = DefSentPlus(encoder, **FAST | {"validation_fraction": 0}).fit(train)
    assert none.result_.n_validation == 0 and len(none.history_[0].validation_losses) == 0
    assert "No entries were held out" in none.result_.notes[0]


def test_held_out_entries_have_no_part_in_training(encoder, dictionary):
    entries = list(dictionary.items())
    train = dict(entries[:30])
    first = DefSentPlus(encoder, **FAST, projection="whitening").fit(train, validation=dict(entries[30:33]))
    second = DefSentPlus(encoder, **FAST, projection="whitening").fit(train, validation=dict(entries[33:]))
    # Entries are embedded in other batches, so rounding may differ.
    for a, b in zip(state(first.encoder_).values(), state(second.encoder_).values(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-2, rtol=0)
    np.testing.assert_allclose(first.history_[0].losses, second.history_[0].losses, rtol=1e-2)


def test_interrupted_training_goes_on_to_the_same_bits(encoder, dictionary, tmp_path):
    options = FAST | {"rounds": 2, "epochs": 2, "n_sampled": 15, "patience": 50, "eval_every": 3, "log_every": 3}
    whole = DefSentPlus(encoder, **options).fit(dictionary)
    expected, steps = state(whole.encoder_), whole.history_[0].n_steps
    assert steps == 8
    for number, step in [(1, 2), (1, 7), (1, steps), (2, 1), (2, steps)]:
        folder = tmp_path / f"{number}-{step}"
        model = DefSentPlus(encoder, **options, checkpoint_dir=folder, checkpoint_every=3)
        random = torch.get_rng_state()
        with pytest.raises(Stop):
            model.fit(dictionary, callback=stop_at(number, step))
        assert torch.equal(random, torch.get_rng_state())
        seen = []
        model.fit(dictionary, callback=lambda told, seen=seen: seen.append((told.round, told.step)))
        assert len(seen) < 2 * steps or (number, step) == (1, 2)
        assert same(expected, state(model.encoder_)), (number, step)
        np.testing.assert_array_equal(model.entry_embeddings_, whole.entry_embeddings_)
        for found, wanted in zip(model.history_, whole.history_, strict=True):
            assert found.to_dict() | {"seconds": 0} == wanted.to_dict() | {"seconds": 0}
    assert len(list(folder.iterdir())) == 3  # no leftovers
    done = DefSentPlus(encoder, **options, checkpoint_dir=folder, checkpoint_every=3)
    done.fit(dictionary, callback=stop_at(2, 1))  # nothing is left to do
    assert same(expected, state(done.encoder_))


def train_and_die(model_folder, dictionary, folder, n_threads):
    torch.set_num_threads(n_threads)

    def callback(seen):
        if seen.step == 7:
            os.kill(os.getpid(), signal.SIGKILL)

    encoder = xembed.load_encoder(model_folder, pooling="mean", device="cpu")
    DefSentPlus(encoder, **FAST, checkpoint_dir=folder, checkpoint_every=3).fit(dictionary, callback=callback)


@pytest.mark.slow
def test_a_killed_process_can_be_gone_on_with(encoder, model_folder, dictionary, tmp_path):
    # A new interpreter: nothing that a training needs hangs on the process that it began in.
    process = start(train_and_die, model_folder, dictionary, tmp_path / "run", torch.get_num_threads(), new=True)
    process.join(200)
    assert process.exitcode == -signal.SIGKILL
    assert json.loads((tmp_path / "run" / "defsent-state.json").read_text())["state"]["log"]["step"] == 6
    seen = []
    model = DefSentPlus(encoder, **FAST, checkpoint_dir=tmp_path / "run", checkpoint_every=3)
    model.fit(dictionary, callback=lambda told: seen.append(told.step))
    assert seen[0] == 7
    assert same(state(model.encoder_), state(DefSentPlus(encoder, **FAST).fit(dictionary).encoder_))


def test_checkpoints_of_another_training_are_refused(encoder, dictionary, tmp_path):
    options = FAST | {"checkpoint_dir": tmp_path / "run", "epochs": 1}
    DefSentPlus(encoder, **options).fit(dictionary)
    with pytest.raises(ValueError, match=r"differs in parameters.batch_size \(16 there, 8 here\), parameters.epochs"):
        DefSentPlus(encoder, **options | {"batch_size": 8, "epochs": 2}).fit(dictionary)
    with pytest.raises(ValueError, match=r"differs in dictionary \(\w{8}\.\.\. there"):
        DefSentPlus(encoder, **options).fit(dictionary | {"cat": "a soft animal"})
    other = DefSentPlus(encoder, **FAST).fit(dictionary).encoder_
    with pytest.raises(ValueError, match=r"differs in encoder \(\w{8}\.\.\. there"):
        DefSentPlus(other, **options).fit(dictionary)
    weights = next((tmp_path / "run").glob("defsent-weights-*"))
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"can't be read .* or delete the folder to start anew"):
        DefSentPlus(encoder, **options).fit(dictionary)
    for broken in ("{", '{"format": "other"}', "[]"):
        (tmp_path / "run" / "defsent-state.json").write_text(broken)
        with pytest.raises(ValueError, match=r"defsent-state.json' of DefSentPlus can't be read"):
            DefSentPlus(encoder, **options).fit(dictionary)
    with pytest.raises(FileNotFoundError, match=r"can't be made: the folder .* does not exist"):
        DefSentPlus(encoder, **FAST, checkpoint_dir=tmp_path / "no" / "such").fit(dictionary)
    with pytest.raises(NotADirectoryError, match=r"must be a folder. Got the file"):
        DefSentPlus(encoder, **FAST, checkpoint_dir=tmp_path / "run" / "defsent-state.json").fit(dictionary)


def test_a_checkpoint_folder_keeps_what_is_not_ours(encoder, dictionary, tmp_path):
    (tmp_path / "weights-mine.safetensors").write_bytes(b"mine")
    DefSentPlus(encoder, **FAST | {"epochs": 1}, checkpoint_dir=tmp_path, checkpoint_every=1).fit(dictionary)
    assert (tmp_path / "weights-mine.safetensors").read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("projection", ["ica", "whitening"])
def test_equal_entries_can_not_be_projected(encoder, projection):
    model = DefSentPlus(
        encoder, **FAST | {"validation_fraction": 0, "shared_definitions": "keep"}, projection=projection
    )
    with pytest.raises(ValueError, match=f"can't be projected with projection='{projection}': .* rows that differ"):
        model.fit({"cat": "an animal", "dog": "an animal"})


def test_entries_that_share_a_definition_are_dropped_unless_asked_for(encoder, dictionary):
    synonyms = dictionary | {f"{word} two": texts[:1] for word, texts in dictionary.items()}
    model = DefSentPlus(encoder, **FAST).fit(synonyms)
    assert (model.result_.n_entries, model.result_.n_dropped) == (36, 36)
    kept = DefSentPlus(encoder, **FAST | {"shared_definitions": "keep"}).fit(synonyms)
    assert (kept.result_.n_entries, kept.result_.n_dropped) == (72, 0)
    with pytest.raises(ValueError, match=r"at least 2 entries without a definition in common .* Got 2 entries"):
        DefSentPlus(encoder, **FAST).fit({"cat": "an animal", "dog": "an animal"})


def test_dropout_is_that_of_training_only(encoder, dictionary):
    def layers(found):
        return [part.p for part in found.model.modules() if isinstance(part, torch.nn.Dropout)]

    seen = []
    own = layers(encoder)
    model = DefSentPlus(encoder, **FAST | {"dropout": 0.0})
    first = model.fit(dictionary, callback=lambda step: seen.append(step.loss)).encoder_
    assert layers(first) == own and max(own) > 0
    other = []
    DefSentPlus(encoder, **FAST | {"dropout": None}).fit(dictionary, callback=lambda step: other.append(step.loss))
    assert seen[0] != other[0]
    with pytest.raises(ValueError, match="'dropout' parameter of DefSentPlus must be a number in"):
        DefSentPlus(encoder, dropout=1.0).fit(dictionary)


def test_losses_that_are_not_finite_are_named(encoder, dictionary):
    huge = copy.deepcopy(encoder)
    with torch.no_grad():
        huge.model[0].auto_model.encoder.layer[-1].output.LayerNorm.weight.fill_(1e25)
    with pytest.raises(RuntimeError, match=r"loss is not finite at step 1, with a learning rate of 0.003 .*'learning_"):
        DefSentPlus(huge, **FAST | {"validation_fraction": 0}, head="identity").fit(dictionary)
    with torch.no_grad():
        huge.model[0].auto_model.encoder.layer[-1].output.LayerNorm.weight.fill_(math.nan)
    with pytest.raises(RuntimeError, match="The entry embeddings are not finite"):
        DefSentPlus(huge, **FAST).fit(dictionary)


@pytest.mark.parametrize(
    ("dictionary", "error", "message"),
    [
        ({}, ValueError, "at least 2 entries for DefSentPlus.* Got 0"),
        ({"cat": "an animal"}, ValueError, "at least 2 entries"),
        ({"cat": "an animal", "dog": []}, ValueError, "of the entry 'dog' .* must be one text at least"),
        ({"cat": "an animal", "dog": ["", "x"]}, ValueError, "of the entry 'dog' .* must not be empty. Got ''"),
        ({"cat": " \n", "dog": "x"}, ValueError, "of the entry 'cat' .* must not be empty"),
        ({"cat": "an animal", "dog": 3}, TypeError, "of the entry 'dog' .* a list of strings. Got int"),
        ({"cat": "an animal", "dog": ["x", None]}, TypeError, "of the entry 'dog' .* must be strings. Got NoneType"),
        ({"cat": "an animal", "dog": b"x"}, TypeError, "Got bytes"),
        ({"cat": "an animal", 3: "x"}, TypeError, "entries of the 'dictionary' parameter .* must be strings. Got 3"),
        ({"cat": "an animal", "dog": "\ud800"}, ValueError, "must be valid Unicode"),
        (["cat", "dog"], TypeError, "must be a Dictionary .* or a mapping of entries to definitions. Got list"),
        (None, TypeError, "Got NoneType"),
        ({"cat": "an animal", "dog": "x"}, ValueError, "must leave at least 2 entries for training"),
    ],
)
def test_dictionaries_that_can_not_be(encoder, dictionary, error, message):
    with pytest.raises(error, match=message):
        DefSentPlus(encoder, **FAST).fit(dictionary)


def test_an_entry_is_there_once(encoder):
    class Twice:
        entries = ("cat", "dog", "cat")
        definitions = (("a",), ("b",), ("c",))

    with pytest.raises(ValueError, match=r"must hold each entry once. Got 'cat' twice"):
        DefSentPlus(encoder, **FAST).fit(Twice())


def test_anything_like_a_dictionary_will_do(encoder, dictionary):
    class Like:
        entries = tuple(dictionary)
        definitions = tuple(map(tuple, dictionary.values()))

    first, second = (DefSentPlus(encoder, **FAST | {"epochs": 1}).fit(source) for source in (Like(), dictionary))
    assert same(state(first.encoder_), state(second.encoder_))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rounds": 0}, ValueError, "'rounds' parameter of DefSentPlus must be an integer of at least 1"),
        ({"entry_pooling": "max"}, ValueError, r"'entry_pooling' .* one of \{'ac', 'amp'\}"),
        ({"pooling": "max"}, ValueError, r"'pooling' .* one of \{'cls', 'mean', 'prompt'\}"),
        ({"projection": "pca"}, ValueError, r"'projection' .* one of \{'ica', 'whitening'\}"),
        ({"projection_rounds": "first"}, ValueError, r"'projection_rounds' .* one of \{'all', 'last'\}"),
        ({"projection_rounds": (2,)}, ValueError, "a tuple of rounds from 1 to 1. Got"),
        ({"projection_rounds": ()}, ValueError, "'projection_rounds'"),
        ({"normalize_entries": 1}, TypeError, "'normalize_entries' .* True or False. Got 1"),
        ({"restart": None}, TypeError, "'restart' .* True or False"),
        ({"entry_scale": (1.0, 2.0)}, ValueError, "'entry_scale' .* one for each of the 1 rounds"),
        ({"entry_scale": 0.0}, ValueError, r"'entry_scale' .* in \(0, 1e\+06\]"),
        ({"entry_scale": math.nan}, ValueError, "'entry_scale'"),
        ({"head": "mlp"}, ValueError, r"'head' .* one of \{'identity', 'linear', 'orthogonal', 'pooler'\}"),
        ({"learning_rate": 0}, ValueError, r"'learning_rate' .* in \(0, 1\]"),
        ({"learning_rate": "fast"}, TypeError, "'learning_rate'"),
        ({"batch_size": 1.5}, TypeError, "'batch_size'"),
        ({"epochs": 0}, ValueError, "'epochs'"),
        ({"warmup": 1.0}, ValueError, r"'warmup' .* in \[0, 1\)"),
        ({"weight_decay": -1}, ValueError, "'weight_decay'"),
        ({"max_grad_norm": 0}, ValueError, "'max_grad_norm'"),
        ({"max_length": 2}, ValueError, "'max_length' .* at least 4"),
        ({"n_sampled": 0}, ValueError, "'n_sampled'"),
        ({"softmax_chunk": 0}, ValueError, "'softmax_chunk'"),
        ({"validation_fraction": 1}, ValueError, "'validation_fraction'"),
        ({"patience": 0}, ValueError, "'patience'"),
        ({"eval_every": 0}, ValueError, "'eval_every'"),
        ({"log_every": 0}, ValueError, "'log_every'"),
        ({"checkpoint_every": 0}, ValueError, "'checkpoint_every'"),
        ({"checkpoint_dir": 3}, TypeError, "'checkpoint_dir' .* path of a folder or None. Got 3"),
        ({"device": "tpu9"}, ValueError, "'device' parameter of DefSentPlus"),
        ({"progress": "yes"}, TypeError, "'progress'"),
        ({"random_state": -1}, TypeError, "of DefSentPlus must be a non-negative integer"),
        ({"encoder": "bert"}, TypeError, "'encoder' parameter of DefSentPlus must be an Encoder made of a transformer"),
        ({"pooling": "prompt", "template": "{}"}, ValueError, "'template' parameter of DefSentPlus"),
    ],
)
def test_options_that_can_not_be(encoder, dictionary, options, error, message):
    with pytest.raises(error, match=message):
        DefSentPlus(**({"encoder": encoder} | FAST | options)).fit(dictionary)


def test_encoders_that_can_not_be_trained(model_folder, dictionary):
    half = xembed.load_encoder(model_folder, dtype="float16", device="cpu")
    with pytest.raises(ValueError, match=r"must have float32 weights to be trained. Got torch.float16: load it with"):
        DefSentPlus(half, **FAST).fit(dictionary)


def test_importing_loads_no_torch():
    code = "import sys, xembed.defsent; xembed.defsent.DefSentResult; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match=r"No xembed\.defsent attribute nothing"):
        xembed.defsent.nothing  # noqa: B018


def test_progress_is_shown_if_asked_for(encoder, dictionary, capfd):
    DefSentPlus(encoder, **FAST | {"epochs": 1}, progress=True).fit(dictionary)
    out, err = capfd.readouterr()
    assert out == "" and "Entries" in err and "Training" in err
