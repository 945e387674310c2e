"""A run that is stopped at any moment goes on: nothing finished is done again, and the numbers are the same."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from children import kill_when, start
from models import save_small, small_pairs

from xembed.attribution import MethodOutput
from xembed.geco import Benchmark
from xembed.geco._run import Folder, Store, pack, unpack

pytestmark = pytest.mark.slow  # as a whole: it takes many seconds

METHODS = ["integrated_gradients", "saliency_l2", "gradient_shap", "lime", "shapley_sampling", "occlusion", "pattern"]
OPTIONS = {
    "schemes": ["C", "OLA"],
    "methods": METHODS,
    "seeds": (0, 1),
    "training": {"OLA": {"epochs": 2}},
    "n_sentences": 6,
    "n_samples": 20,
    "n_faithful": 2,
    "n_randomised": 2,
    "n_resamples": 40,
    "device": "cpu",
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return save_small(tmp_path_factory.mktemp("backbone") / "bert")


@pytest.fixture(scope="module")
def make(backbone):
    """Return how to make the benchmark, or one with other settings."""
    data = small_pairs(30).split(8)
    return lambda **options: Benchmark(options.pop("data", data), backbone=backbone, **(OPTIONS | options))


@pytest.fixture(scope="module")
def undisturbed(make, tmp_path_factory):
    """Return the numbers of a run that nobody stopped, and its files."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    found = make().run(folder, progress=False)
    return numbers(found), {path.relative_to(folder) for path in files(folder)}


def numbers(result):
    def clean(value):
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items() if key != "seconds"}
        return [clean(item) for item in value] if isinstance(value, list) else value

    return clean(result.to_dict())


def files(folder):
    """Return the finished files of a run with what tells whether one was written again."""
    found = {}
    for path in Path(folder).rglob("*"):
        relative = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") for part in relative) and path.name != "result.json":
            status = path.stat()
            found[path] = (status.st_ino, status.st_mtime_ns, path.read_bytes())
    return found


# ---- killed


def run_whole(backbone, folder):
    Benchmark(small_pairs(30).split(8), backbone=backbone, **OPTIONS).run(folder, progress=False)


def test_a_killed_run_goes_on(make, backbone, undisturbed, tmp_path):
    folder = tmp_path / "run"
    process = start(run_whole, backbone, folder)
    kill_when(process, lambda: len(list(folder.glob("cells/C-0/methods/*.safetensors"))) >= 2)
    first = files(folder)
    assert not (folder / "result.json").exists()
    assert any("C-0/methods" in str(path) for path in first) and not any("OLA-1" in str(path) for path in first)

    process = start(run_whole, backbone, folder)
    kill_when(process, lambda: (folder / "cells" / "OLA-0" / "logits.safetensors").exists())
    second = files(folder)
    assert len(second) > len(first) and not (folder / "result.json").exists()
    assert {path: second[path] for path in first} == first  # neither written again nor changed

    result = make().run(folder, progress=False)
    third = files(folder)
    assert {path: third[path] for path in second} == second
    assert numbers(result) == undisturbed[0]
    assert {path.relative_to(folder) for path in third} == undisturbed[1]


@pytest.mark.slow
def test_two_runs_at_once_do_no_harm(backbone, undisturbed, tmp_path):
    folder = tmp_path / "run"
    processes = [start(run_whole, backbone, folder) for _ in range(2)]
    for process in processes:
        process.join(200)
    assert [process.exitcode for process in processes] == [0, 0]
    assert {path.relative_to(folder) for path in files(folder)} == undisturbed[1]
    written = json.loads((folder / "result.json").read_text())
    assert [row["metrics"] for row in written["rows"]] == [row["metrics"] for row in undisturbed[0]["rows"]]


@pytest.mark.parametrize("moment", ["_before", "_after"])
@pytest.mark.parametrize("other", [{"benchmark": 1}, {"benchmark": 2}])
def test_a_run_that_begins_at_the_same_moment(tmp_path, monkeypatch, moment, other):
    """Another run makes the folder its own while this one looks into it, or just after."""
    look, folder = Path.iterdir, tmp_path / "run"
    folder.mkdir()

    def slow(path):
        # Not the look for leftovers: that holds the folder's lock, which the other run needs.
        if path != folder or sys._getframe(1).f_code.co_name == "_sweep":
            return look(path)
        monkeypatch.undo()
        found = list(look(path)) if moment == "_after" else None
        Store(folder, other, resume=True, caller="the other")
        (folder / "cells").mkdir()
        return iter(list(look(path)) if found is None else found)

    monkeypatch.setattr(Path, "iterdir", slow)
    if other == {"benchmark": 1}:
        Store(folder, {"benchmark": 1}, resume=True, caller="this test")
    else:
        with pytest.raises(ValueError, match="run of this test with other settings"):
            Store(folder, {"benchmark": 1}, resume=True, caller="this test")
    assert json.loads((folder / "plan.json").read_text()) == other


def test_a_model_that_another_run_saved_first_is_taken(make, tmp_path, monkeypatch):
    run, other = (make(schemes=["OLA"], methods=["saliency_l2"], seeds=(0,)) for _ in range(2))
    found = []

    def slow(scheme, seed):
        trained = Benchmark._train(run, scheme, seed)
        found.append(numbers(other.run(tmp_path / "run", progress=False)))  # meanwhile
        return trained

    monkeypatch.setattr(run, "_train", slow)
    result = run.run(tmp_path / "run", progress=False)
    assert [numbers(result)] == found


def test_a_model_that_cannot_be_saved_is_said(make, tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xembed.geco._run.save_model", full)
    with pytest.raises(OSError, match="No space left"):
        make(schemes=["OLA"], seeds=(0,)).run(tmp_path / "run", progress=False)


# ---- stopped


class Stop(BaseException):
    """Ctrl-C, or a job that is out of time."""


def stop_after(monkeypatch, n):
    """Let the run stop before the piece after the n-th is written."""
    left = [n]

    def counted(name):
        write = getattr(Folder, name)

        def stopping(self, *args):
            if not left[0]:
                raise Stop
            left[0] -= 1
            return write(self, *args)

        return stopping

    for name in ("write_arrays", "write_json"):
        monkeypatch.setattr(Folder, name, counted(name))


@pytest.mark.parametrize("n", [0, 2, 10, 25])
def test_a_run_stopped_before_any_piece_goes_on(make, undisturbed, tmp_path, monkeypatch, n):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_after(patch, n)
        make().run(folder, progress=False)
    before = files(folder)
    assert not (folder / "result.json").exists()
    assert numbers(make().run(folder, progress=False)) == undisturbed[0]
    after = files(folder)
    assert {path: after[path] for path in before} == before
    assert {path.relative_to(folder) for path in after} == undisturbed[1]


def test_a_run_stopped_while_it_trains_or_saves_goes_on(make, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    for target in ("xembed.geco._benchmark.train", "xembed.geco._training.TrainingRecord.to_json"):

        def stop(*_args, **_options):
            raise Stop

        with monkeypatch.context() as patch, pytest.raises(Stop):
            # The options of train are read from its signature when the run is made.
            run = make()
            patch.setattr(target, stop)
            run.run(folder, progress=False)
        assert not (folder / "models" / "C-0").exists()
    assert numbers(make().run(folder, progress=False)) == undisturbed[0]


def test_a_finished_run_computes_nothing(make, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    make().run(folder, progress=False)
    before = files(folder)

    def never(*_args, **_options):
        raise AssertionError("it was computed again")

    run = make()
    for name in (
        "xembed.geco._benchmark.train",
        "xembed.geco._run.run_method",
        "xembed.geco._run.method_health",
        "xembed.geco._run.pair_shapley",
        "xembed.geco._run.faithfulness",
        "xembed.geco._run.randomise",
        "xembed.attribution._scored_model.ScoredModel.score_ids",
    ):
        monkeypatch.setattr(name, never)
    assert numbers(run.run(folder, progress=False)) == undisturbed[0]
    assert files(folder) == before


def test_intervals_can_be_made_anew(make, undisturbed, tmp_path):
    folder = tmp_path / "run"
    first = make(methods=["saliency_l2", "lime"]).run(folder, progress=False)
    second = make(methods=["saliency_l2", "lime"], n_resamples=300, confidence_level=0.5).run(folder, progress=False)
    a, b = (found.row("C", "lime").metrics["mass_accuracy"] for found in (first, second))
    assert a["mean"] == b["mean"] and b["high"] - b["low"] < a["high"] - a["low"]
    assert second.n_resamples == 300 and second.confidence_level == 0.5


def test_a_lost_piece_is_made_again(make, tmp_path):
    run = make(schemes=["OLA"], methods=["saliency_l2", "lime"])
    folder = tmp_path / "run"
    first = numbers(run.run(folder, progress=False))
    for path in ("cells/OLA-1/methods/lime.safetensors", "cells/OLA-0/pair_shapley.json"):
        (folder / path).unlink()
    assert numbers(run.run(folder, progress=False)) == first


# ---- folders that are refused


@pytest.fixture
def begun(make, tmp_path, monkeypatch):
    """Return the folder of a run that was begun."""
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_after(patch, 0)
        make().run(tmp_path / "run", progress=False)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"seeds": (0, 2)}, "seeds"),
        ({"seeds": (1, 0)}, "seeds"),
        ({"schemes": ["C"], "training": None}, "schemes, training"),
        ({"methods": METHODS[:2]}, "settings"),
        ({"n_samples": 21}, "settings"),
        ({"baseline": "mask"}, "settings"),
        ({"target": "predicted"}, "settings"),
        ({"training": {"OLA": {"epochs": 3}}}, "training"),
        ({"n_sentences": 5}, "test"),
        ({"data": small_pairs(31).split(8)}, "test, train"),
    ],
)
def test_the_run_of_another_plan_is_refused(make, begun, options, what):
    before = files(begun)
    message = rf"holds a run of Benchmark.run with other settings \({what} differ\). Give a new folder, or the settings"
    with pytest.raises(ValueError, match=message):
        make(**options).run(begun, progress=False)
    assert files(begun) == before


def test_another_backbone_is_another_plan(begun, tmp_path):
    other = save_small(tmp_path / "other", "distilbert")
    with pytest.raises(ValueError, match=r"with other settings \(backbone differ\)"):
        Benchmark(small_pairs(30).split(8), backbone=other, **OPTIONS).run(begun, progress=False)


def test_a_run_is_not_gone_on_with_unless_asked(make, begun):
    with pytest.raises(
        FileExistsError, match=r"holds a run already. Continue it with resume=True, or give a new folder"
    ):
        make().run(begun, resume=False, progress=False)


def test_other_files_are_not_touched(make, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"holds files that are no run of the benchmark. Give a new or an empty"):
        make().run(tmp_path / "run", progress=False)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("text", ["{}", "[1]", "{broken", '{"steps": [1, 2]}'])
def test_a_plan_that_is_not_ours(make, tmp_path, text):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.json").write_text(text)
    with pytest.raises(FileExistsError, match=r"holds a plan.json that is not a run of the benchmark"):
        make().run(tmp_path / "run", progress=False)
    assert (tmp_path / "run" / "plan.json").read_text() == text


def test_a_plan_whose_keys_are_in_another_order_is_the_same(tmp_path):
    Store(tmp_path / "run", {"benchmark": 1, "settings": {"a": 1, "b": 2}}, resume=True, caller="this test")
    Store(tmp_path / "run", {"settings": {"b": 2, "a": 1}, "benchmark": 1}, resume=True, caller="this test")


def test_a_half_written_plan_is_no_obstacle(make, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".xembed-abc12345.part").write_text('{"bench')
    store = Store(tmp_path / "run", make().describe(), resume=True, caller="this test")
    assert store.has("plan.json")


def test_an_empty_folder_is_taken_and_a_missing_parent_is_not(make, tmp_path):
    (tmp_path / "run").mkdir()
    Store(tmp_path / "run", make().describe(), resume=False, caller="this test")
    with pytest.raises(FileNotFoundError, match=r"can't be made: the folder '.*nowhere' does not exist"):
        make().run(tmp_path / "nowhere" / "run", progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        make().run(tmp_path / "file", progress=False)


# ---- pieces


def test_pieces_read_back_to_the_bit(tmp_path):
    store = Store(tmp_path / "run", {"benchmark": 1}, resume=True, caller="this test")
    rng = np.random.default_rng(0)
    words = [rng.normal(size=n) for n in (3, 1, 7)]
    output = MethodOutput.of(words, completeness=np.array([0.1, np.nan, np.inf]))
    store.write_arrays(pack(output, 1.5), "cells", "C-0", "x.safetensors")
    found, seconds = unpack(store.read_arrays("cells", "C-0", "x.safetensors"))
    assert seconds == 1.5 and [len(row) for row in found.words] == [3, 1, 7]
    assert all(np.array_equal(a, b) for a, b in zip(found.words, words, strict=True))
    np.testing.assert_array_equal(found.completeness, output.completeness)
    assert np.isnan(found.special).all()
    store.write_json({"a": [1, None, "é"]}, "b.json")
    assert json.loads(store.path("b.json").read_text(encoding="utf-8")) == {"a": [1, None, "é"]}


def test_a_piece_that_fails_leaves_nothing(tmp_path):
    store = Store(tmp_path / "run", {"benchmark": 1}, resume=True, caller="this test")
    with pytest.raises(TypeError):
        store.write_json({"a": object()}, "cells", "a.json")
    assert not store.has("cells", "a.json")
    assert list((tmp_path / "run" / "cells").iterdir()) == []
