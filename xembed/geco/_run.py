"""The rows of a run, its folder, and what is computed for each condition (a scheme with a seed), piece by piece.

Every finished piece of work is a file, written whole or not at all, so that a run can go on after any interruption.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from xembed._core.fields import read_json
from xembed._core.files import atomic_write, is_leftover
from xembed._core.provenance import dump_json
from xembed._core.results import AnyResult, rebuild
from xembed._core.validation import check_count
from xembed.attribution._faithfulness import faithfulness
from xembed.attribution._health import VALID, MethodHealth, method_health
from xembed.attribution._method import REPORTED, Method, MethodOptions, MethodOutput, Targets
from xembed.attribution._methods import METHODS, run_method
from xembed.attribution._pair_shapley import PairShapley, pair_shapley
from xembed.attribution._randomisation import randomisation_similarity, randomise
from xembed.attribution._scored_model import ScoredModel
from xembed.datasets import PairedSentences
from xembed.encoders._words import EncodedWords, WordEncoder
from xembed.geco._leaderboard import ORACLE
from xembed.geco._training import TrainedModel, load_model, save_model

_PLAN = "plan.json"
_RUNS = "cells"  # the folder of the conditions' files
_PARTS = ("head", "encoder")
_FAITHFUL = ("comprehensiveness", "sufficiency")


# ---- the rows that are explained


@dataclass(frozen=True)
class TestSet:
    """The rows that are explained: complete groups, and the rows of the first and the second form of each."""

    __test__ = False  # not a test of pytest's

    data: PairedSentences
    pairs: list[tuple[int, int]]

    @staticmethod
    def of(data: PairedSentences) -> TestSet:
        """Find the pairs."""
        return TestSet(data, [(rows[0], rows[1]) for rows in data.complete_groups().values()])

    def rows_of_first(self, n_groups: int) -> list[int]:
        """Return the rows of the first two forms of the first groups."""
        return [row for pair in self.pairs[:n_groups] for row in pair]


def prepare(
    data: Any, n_sentences: int | None, words: WordEncoder, *, caller: str
) -> tuple[PairedSentences, TestSet, dict[str, int]]:
    """Return the training data, the test rows that can be scored, and counts of what was left out."""
    train, test = _check_data(data, caller=caller)
    complete = test.complete_groups()
    excluded = {"rows of sentences without all forms": len(test) - sum(map(len, complete.values()))}
    encoded = words.encode(test.sentences)
    kept: list[int] = []
    for rows in complete.values():
        if problem := _problem(test, rows, encoded):
            name = f"rows of sentences {problem}"
            excluded[name] = excluded.get(name, 0) + len(rows)
        else:
            kept += rows
    excluded = {reason: count for reason, count in excluded.items() if count}
    if not kept:
        raise ValueError(f"The test data of {caller} must hold a sentence that can be scored. Left out: {excluded}.")
    test_rows = test.take(kept)
    if n_sentences is not None:
        n = check_count(n_sentences, name="n_sentences", caller=caller)
        test_rows = test_rows.sample(n) if n < len(set(test_rows.groups)) else test_rows
    return train, TestSet.of(test_rows), excluded


def _check_data(data: Any, *, caller: str) -> tuple[PairedSentences, PairedSentences]:
    if not isinstance(data, tuple | list) or len(data) != 2 or not all(isinstance(d, PairedSentences) for d in data):
        raise TypeError(
            f"The 'data' of {caller} must be training and test data, two PairedSentences. Got {type(data).__name__}."
        )
    train, test = data
    if train.classes != test.classes:
        raise ValueError(
            f"Training and test data of {caller} must have the same classes. Got {train.classes} and {test.classes}."
        )
    if len(set(train.labels)) < len(train.classes):
        raise ValueError(
            f"The training data of {caller} must have rows of every class of {train.classes}. Got rows of "
            f"{len(set(train.labels))} only."
        )
    if shared := set(train.sentences) & set(test.sentences):
        raise ValueError(
            f"Training and test data of {caller} must not share sentences. {len(shared)} of the test data are in the "
            f"training data (first: {' '.join(sorted(shared)[0])!r:.60})."
        )
    return train, test


def _problem(test: PairedSentences, rows: tuple[int, ...], encoded: list[EncodedWords]) -> str:
    """Say why a sentence can't be scored, if it can't."""
    marks = [test.ground_truth[row] for row in rows]
    if not all(any(of_row) for of_row in marks):
        return "without ground truth"
    if any(all(of_row) for of_row in marks):
        return "whose words are all ground truth"
    if len({len(test.sentences[row]) for row in rows[:2]}) > 1:
        return "whose forms differ in length"
    return "that are too long for the model" if any(encoded[row].truncated for row in rows) else ""


def digest(data: PairedSentences) -> str:
    """Return a fingerprint of all that numbers depend on."""
    parts = repr((data.sentences, data.ground_truth, data.labels, data.groups, data.classes))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


# ---- what is computed, and where it lies


class Folder:
    """Reads and writes pieces, each a file."""

    folder: Path

    def path(self, *parts: str) -> Path:
        """Return where a piece is or will be; its folder is made."""
        piece = self.folder.joinpath(*parts)
        piece.parent.mkdir(parents=True, exist_ok=True)
        return piece

    def has(self, *parts: str) -> bool:
        """Whether a piece is there. Files take their name when they are complete."""
        return self.folder.joinpath(*parts).exists()

    def write_json(self, data: Any, *parts: str) -> None:
        """Write plain data."""
        with atomic_write(self.path(*parts)) as file:
            file.write(json.dumps(data, ensure_ascii=False).encode())

    def read_result(self, kind: type[AnyResult], *parts: str) -> AnyResult:
        """Read a result of a class."""
        return rebuild(*read_json(self.path(*parts), "Benchmark.run"), kind)

    def write_arrays(self, arrays: dict[str, np.ndarray], *parts: str) -> None:
        """Write arrays."""
        from safetensors.numpy import save

        with atomic_write(self.path(*parts)) as file:
            file.write(save({name: np.ascontiguousarray(values) for name, values in arrays.items()}))

    def read_arrays(self, *parts: str) -> dict[str, np.ndarray]:
        """Read arrays."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self.path(*parts)
        try:
            arrays: dict[str, np.ndarray] = load(path.read_bytes())
        except SafetensorError as error:
            raise ValueError(f"{str(path)!r} is damaged ({error}). Delete it: the run computes it again.") from None
        return arrays


class Store(Folder):
    """The folder of one run.

    ValueError if the folder holds the run of another plan; FileExistsError if it holds a run, and ``resume`` is false,
    or anything else.
    """

    def __init__(self, folder: str | os.PathLike[str], plan: dict[str, Any], *, resume: bool, caller: str) -> None:
        self.folder = check_run_folder(folder)
        self.folder.mkdir(exist_ok=True)
        path, text = self.folder / _PLAN, dump_json(plan)
        if self._begin(path, text):
            return
        if not resume:
            raise FileExistsError(
                f"{str(self.folder)!r} holds a run already. Continue it with resume=True, or give a new folder."
            )
        other, wanted = json.loads(path.read_text(encoding="utf-8")), json.loads(text)
        if other != wanted:
            changed = sorted(key for key in {*other, *wanted} if other.get(key) != wanted.get(key))
            raise ValueError(
                f"{str(self.folder)!r} holds a run of {caller} with other settings ({', '.join(changed)} differ). Give "
                "a new folder, or the settings of that run."
            )

    def _begin(self, path: Path, text: str) -> bool:
        """Write the plan, unless there is one: also one that another run writes at this moment."""
        if path.exists():
            return False
        try:
            with atomic_write(path, exclusive=True) as file:
                file.write(text.encode())
        except FileExistsError:
            return False
        return True


def check_run_folder(folder: str | os.PathLike[str]) -> Path:
    """Return a folder that a run can be kept in: one that can be made, is empty, or holds a run of the benchmark."""
    folder = Path(folder)
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"{str(folder)!r} can't be made: the folder {str(folder.parent)!r} does not exist.")
    if not folder.exists():
        return folder
    # A run that was killed at once leaves a half-written plan behind.
    strange = any(file.name != _PLAN and not is_leftover(file.name) for file in folder.iterdir())
    plan = folder / _PLAN
    if plan.exists():  # asked after the look into the folder: a run's plan is there before its other files
        if _read_plan(plan.read_text(encoding="utf-8", errors="replace")) is None:
            raise FileExistsError(
                f"{str(folder)!r} holds a {_PLAN} that is not a run of the benchmark. Give a new or an empty folder."
            )
    elif strange:
        raise FileExistsError(
            f"{str(folder)!r} holds files that are no run of the benchmark. Give a new or an empty folder."
        )
    return folder


def _read_plan(text: str) -> dict[str, Any] | None:
    try:
        plan = json.loads(text)
    except ValueError:
        return None
    return plan if isinstance(plan, dict) and "benchmark" in plan else None


@dataclass(frozen=True)
class Settings:
    """What is computed for each condition; parameters as in `Benchmark`."""

    methods: tuple[str, ...]
    baseline: str = "pad"
    deletion: str = "mask"
    n_samples: int = 100
    tolerance: float = 0.01
    max_steps: int = 96
    target: str = "label"
    n_faithful: int = 50
    n_randomised: int = 10

    def options(self, seed: int, fitted: Any = None, progress: Callable[[int], object] | None = None) -> MethodOptions:
        """Return what methods are told."""
        shared = {name: getattr(self, name) for name in REPORTED}
        return MethodOptions(**shared, seed=seed, fitted=fitted, progress=progress)


@dataclass
class ConditionRun(Folder):
    """The run of one condition, a scheme with a seed, in a folder of its own within that of the run."""

    store: Store
    scheme: str
    seed: int
    test: TestSet
    settings: Settings
    fitted: dict[str, Any]  # results of fitting the reference methods
    first: bool  # the health of the first seed is that of the scheme, and its model is randomised
    device: str
    make: Callable[[], TrainedModel]
    progress: Callable[[int], object] | None = None
    _scored: ScoredModel | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.scheme}-{self.seed}"
        self.folder = self.store.folder / _RUNS / self.name

    # ---- the model

    def trained(self) -> TrainedModel:
        """Return the trained model, from its folder if it is there."""
        if not self.store.has("models", self.name):
            made = self.make()
            try:
                save_model(made, self.store.path("models", self.name))
            except OSError:
                if not self.store.has("models", self.name):
                    raise
                # Another run in the same folder was faster, with the same weights.
        return load_model(self.store.path("models", self.name), device=self.device)

    @property
    def scored(self) -> ScoredModel:
        """The model as methods read it."""
        if self._scored is None:
            trained = self.trained()
            self._scored = ScoredModel(trained.model, trained.tokenizer, caller="Benchmark")
        return self._scored

    @cached_property
    def rows(self) -> list[EncodedWords]:
        """The test rows, tokenized."""
        return self.scored.words.encode(self.test.data.sentences)

    # ---- the pieces

    def run(self, health: MethodHealth | None) -> MethodHealth:
        """Compute what is not there yet, and return the health of the methods on this scheme."""
        if not self.store.has("models", self.name):
            self.trained()
        if not self.has("logits.safetensors"):
            logits = self.scored.score_ids([row.ids for row in self.rows], progress=self.progress)
            self.write_arrays({"logits": logits}, "logits.safetensors")
        if health is None:
            health = self._health()
        targets = self.targets()
        for name in self.valid(health):
            if not self.has("methods", f"{name}.safetensors"):
                began = time.perf_counter()
                output = self._explain(name, self.scored, self.rows, targets)
                self.write_arrays(pack(output, time.perf_counter() - began), "methods", f"{name}.safetensors")
        self._pair_shapley()
        self._faithfulness(health, targets)
        if self.first and self.settings.n_randomised:
            self._randomisation(health, targets)
        self._scored = None  # the memory of one model is enough
        return health

    def targets(self) -> Targets:
        """Return the output that is explained of each row."""
        if self.settings.target == "label":
            return np.array(self.test.data.labels, dtype=np.int64)
        logits = self.read_arrays("logits.safetensors")["logits"]
        return np.asarray(logits.argmax(axis=1), dtype=np.int64)

    def valid(self, health: MethodHealth) -> list[str]:
        """Return the methods that are worth computing, references among them."""
        invalid = {status.method for status in health.methods if status.status != VALID}
        return [name for name in self.settings.methods if name not in invalid]

    def method(self, name: str) -> Method:
        """Return a method by its name."""
        return METHODS[name]

    def outputs(self, health: MethodHealth) -> dict[str, tuple[MethodOutput, float]]:
        """Read what the valid methods gave, with the seconds that they took."""
        return {name: unpack(self.read_arrays("methods", f"{name}.safetensors")) for name in self.valid(health)}

    def truth(self) -> PairShapley:
        """Read what the changed words do to the model."""
        return self.read_result(PairShapley, "pair_shapley.json")

    def _explain(self, name: str, model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets) -> MethodOutput:
        options = self.settings.options(self.seed, self.fitted.get(name), self.progress)
        return run_method(self.method(name), model, rows, targets, options)

    def _health(self) -> MethodHealth:
        if self.has("health.json"):
            return self.read_result(MethodHealth, "health.json")
        asked = [name for name in self.settings.methods if METHODS[name].family != "reference"]
        if not asked:
            return MethodHealth(model=type(self.scored.module).__name__, methods=(), notes=(), provenance={})
        options = dataclasses.replace(self.settings.options(self.seed), n_samples=min(20, self.settings.n_samples))
        health = method_health(self.scored, methods=asked, options=options)
        self.write_json(health.to_dict(), "health.json")
        return health

    def _pair_shapley(self) -> None:
        if self.has("pair_shapley.json"):
            return
        data = self.test.data
        forms = [[data.sentences[pair[side]] for pair in self.test.pairs] for side in (0, 1)]
        # Toward the class of the first form: what makes the difference is then positive.
        targets = [data.labels[first] for first, _ in self.test.pairs]
        truth = pair_shapley(self.scored, forms[0], forms[1], targets, progress=self.progress)
        self.write_json(truth.to_dict(), "pair_shapley.json")

    def _faithfulness(self, health: MethodHealth, targets: Targets) -> None:
        if self.has("faithfulness.safetensors") or not self.settings.n_faithful:
            return
        rows = self.test.rows_of_first(self.settings.n_faithful)
        given = {name: [output.words[row] for row in rows] for name, (output, _) in self.outputs(health).items()}
        given[ORACLE] = [np.array(self.test.data.ground_truth[row], dtype=np.float64) for row in rows]
        signed = {name: name != ORACLE and METHODS[name].signed for name in given}
        effects = faithfulness(
            self.scored,
            [self.rows[row] for row in rows],
            targets[rows],
            given,
            deletion=self.settings.deletion,
            signed=signed,
            progress=self.progress,
        )
        packed = {f"{method}/{name}": effects[method][name] for method in effects for name in _FAITHFUL}
        packed["rows"] = np.array(rows, dtype=np.int64)
        self.write_arrays(packed, "faithfulness.safetensors")

    def _randomisation(self, health: MethodHealth, targets: Targets) -> None:
        if self.has("randomisation.safetensors"):
            return
        rows = self.test.rows_of_first(self.settings.n_randomised)
        encoded = [self.rows[row] for row in rows]
        packed: dict[str, np.ndarray] = {"rows": np.array(rows, dtype=np.int64)}
        outputs = self.outputs(health)
        for part in _PARTS:
            module = randomise(self.scored.module, part, seed=self.seed)
            model = ScoredModel(module, self.scored.tokenizer, caller="Benchmark")
            for name in (name for name in outputs if METHODS[name].family != "reference"):
                random = self._explain(name, model, encoded, targets[rows]).words
                trained = [outputs[name][0].words[row] for row in rows]
                packed[f"{name}/{part}"] = randomisation_similarity(trained, random)
        self.write_arrays(packed, "randomisation.safetensors")


def pack(output: MethodOutput, seconds: float) -> dict[str, np.ndarray]:
    """Return the output of a method as arrays."""
    return {
        "values": np.concatenate(output.words),
        "lengths": np.array([len(words) for words in output.words], dtype=np.int64),
        "special": output.special,
        "completeness": output.completeness,
        "baseline_scores": output.baseline_scores,
        "seconds": np.array([seconds]),
    }


def unpack(arrays: dict[str, np.ndarray]) -> tuple[MethodOutput, float]:
    """Return the output of a method, and the seconds that it took."""
    cuts = np.cumsum(arrays["lengths"])[:-1]
    words = [np.asarray(row) for row in np.split(arrays["values"], cuts)]
    output = MethodOutput(words, arrays["special"], arrays["completeness"], arrays["baseline_scores"])
    return output, float(arrays["seconds"][0])
