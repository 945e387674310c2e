"""One cell of the benchmark, a scheme with a seed: its model, and all that is computed of it, piece by piece."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xembed.attribution._faithfulness import faithfulness
from xembed.attribution._health import VALID, MethodHealth, method_health
from xembed.attribution._method import Method, MethodOptions, MethodOutput, Targets
from xembed.attribution._methods import METHODS, run_method
from xembed.attribution._pair_shapley import PairShapley, pair_shapley
from xembed.attribution._randomisation import randomisation_similarity, randomise
from xembed.attribution._scored_model import ScoredModel
from xembed.encoders._words import EncodedWords
from xembed.geco._model_files import load_model, save_model
from xembed.geco._reference_mode import REFERENCE_METHODS
from xembed.geco._store import Store, pack, unpack
from xembed.geco._test_set import TestSet
from xembed.geco._trained import TrainedModel

ORACLE = "oracle"
_PARTS = ("head", "encoder")
_FAITHFUL = ("comprehensiveness", "sufficiency")


@dataclass(frozen=True)
class Settings:
    """What is computed of each cell.

    Attributes
    ----------
    methods : tuple of str
        Names in `METHODS`.
    baseline, deletion, n_samples, tolerance, max_steps
        As in `explain`.
    target : {'label', 'predicted'}
        Which output is explained.
    reference_mode : {'gecobench'}, optional
        Explain by the published recipe.
    n_faithful : int
        Sentences whose explanations are tested by deletion, of all seeds.
    n_randomised : int
        Sentences that are explained for models with random weights, of the first seed.
    """

    methods: tuple[str, ...]
    baseline: str = "pad"
    deletion: str = "mask"
    n_samples: int = 100
    tolerance: float = 0.01
    max_steps: int = 96
    target: str = "label"
    reference_mode: str | None = None
    n_faithful: int = 50
    n_randomised: int = 10

    def options(self, seed: int, fitted: Any = None, progress: Callable[[int], object] | None = None) -> MethodOptions:
        """Return what methods are told."""
        return MethodOptions(
            baseline=self.baseline,
            deletion=self.deletion,
            n_samples=self.n_samples,
            tolerance=self.tolerance,
            max_steps=self.max_steps,
            seed=seed,
            fitted=fitted,
            progress=progress,
        )


class Cell:
    """One scheme with one seed, in a run's folder.

    Parameters
    ----------
    store : Store
        Of the run.
    scheme, seed : str and int
        Which.
    test : TestSet
        What is explained.
    settings : Settings
        What is computed.
    fitted : dict of str to object
        What reference methods were fitted as.
    first : bool
        Whether this is the first seed, whose health is that of the scheme and which is randomised.
    device : str
        Where the model runs.
    make : callable
        Trains the model.
    progress : callable, optional
        Called with rows that went through the model.
    """

    def __init__(
        self,
        store: Store,
        scheme: str,
        seed: int,
        test: TestSet,
        settings: Settings,
        *,
        fitted: dict[str, Any],
        first: bool,
        device: str,
        make: Callable[[], TrainedModel],
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self.store, self.scheme, self.seed, self.test, self.settings = store, scheme, seed, test, settings
        self.fitted, self.first, self.device = fitted, first, device
        self.make, self.progress = make, progress
        self.name = f"{scheme}-{seed}"
        self._scored: ScoredModel | None = None
        self._rows: list[EncodedWords] | None = None

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

    @property
    def rows(self) -> list[EncodedWords]:
        """The test rows, tokenized."""
        if self._rows is None:
            self._rows = self.scored.words.encode(self.test.data.sentences)
        return self._rows

    # ---- the pieces

    def run(self, health: MethodHealth | None) -> MethodHealth:
        """Compute what is not there yet, and return the health of the methods on this scheme."""
        if not self.store.has("models", self.name):
            self.trained()
        if not self.store.has("cells", self.name, "logits.safetensors"):
            logits = self.scored.score_ids([row.ids for row in self.rows], progress=self.progress)
            self.store.write_arrays({"logits": logits}, "cells", self.name, "logits.safetensors")
        if health is None:
            health = self._health()
        targets = self.targets()
        for name in self.valid(health):
            if not self.store.has("cells", self.name, "methods", f"{name}.safetensors"):
                began = time.perf_counter()
                output = self._explain(METHODS[name], self.scored, self.rows, targets)
                packed = pack(output, time.perf_counter() - began)
                self.store.write_arrays(packed, "cells", self.name, "methods", f"{name}.safetensors")
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
        logits = self.store.read_arrays("cells", self.name, "logits.safetensors")["logits"]
        return np.asarray(logits.argmax(axis=1), dtype=np.int64)

    def valid(self, health: MethodHealth) -> list[str]:
        """Return the methods that are worth computing, references among them; of a published recipe all."""
        if self.settings.reference_mode is not None:
            return list(self.settings.methods)
        sick = {status.method for status in health.methods if status.status != VALID}
        return [name for name in self.settings.methods if name not in sick]

    def outputs(self, health: MethodHealth) -> dict[str, tuple[MethodOutput, float]]:
        """Read what the valid methods gave, with the seconds that they took."""
        return {
            name: unpack(self.store.read_arrays("cells", self.name, "methods", f"{name}.safetensors"))
            for name in self.valid(health)
        }

    def truth(self) -> PairShapley:
        """Read what the changed words do to the model."""
        return PairShapley.from_dict(self.store.read_json("cells", self.name, "pair_shapley.json"))

    def _explain(
        self, method: Method, model: ScoredModel, rows: Sequence[EncodedWords], targets: Targets
    ) -> MethodOutput:
        options = self.settings.options(self.seed, self.fitted.get(method.name), self.progress)
        if self.settings.reference_mode is not None:
            method = REFERENCE_METHODS[method.name]
        return run_method(method, model, rows, targets, options)

    def _health(self) -> MethodHealth:
        if self.store.has("cells", self.name, "health.json"):
            return MethodHealth.from_dict(self.store.read_json("cells", self.name, "health.json"))
        asked = [name for name in self.settings.methods if METHODS[name].family != "reference"]
        if not asked:
            return MethodHealth(model=type(self.scored.module).__name__, methods=(), notes=(), provenance={})
        options = dataclasses.replace(self.settings.options(self.seed), n_samples=min(20, self.settings.n_samples))
        found = method_health(self.scored, methods=asked, options=options)
        self.store.write_json(found.to_dict(), "cells", self.name, "health.json")
        return found

    def _pair_shapley(self) -> None:
        if self.store.has("cells", self.name, "pair_shapley.json"):
            return
        data = self.test.data
        forms = [[data.sentences[pair[side]] for pair in self.test.pairs] for side in (0, 1)]
        # Toward the class of the first form: what makes the difference is then positive.
        targets = [data.labels[first] for first, _ in self.test.pairs]
        found = pair_shapley(self.scored, forms[0], forms[1], targets, progress=self.progress)
        self.store.write_json(found.to_dict(), "cells", self.name, "pair_shapley.json")

    def _faithfulness(self, health: MethodHealth, targets: Targets) -> None:
        if self.store.has("cells", self.name, "faithfulness.safetensors") or not self.settings.n_faithful:
            return
        chosen = self.test.rows_of_first(self.settings.n_faithful)
        given = {name: [output.words[row] for row in chosen] for name, (output, _) in self.outputs(health).items()}
        given[ORACLE] = [np.array(self.test.data.ground_truth[row], dtype=np.float64) for row in chosen]
        signed = {name: name != ORACLE and METHODS[name].signed for name in given}
        found = faithfulness(
            self.scored,
            [self.rows[row] for row in chosen],
            targets[chosen],
            given,
            deletion=self.settings.deletion,
            signed=signed,
            progress=self.progress,
        )
        packed = {f"{method}/{name}": found[method][name] for method in found for name in _FAITHFUL}
        packed["rows"] = np.array(chosen, dtype=np.int64)
        self.store.write_arrays(packed, "cells", self.name, "faithfulness.safetensors")

    def _randomisation(self, health: MethodHealth, targets: Targets) -> None:
        if self.store.has("cells", self.name, "randomisation.safetensors"):
            return
        chosen = self.test.rows_of_first(self.settings.n_randomised)
        rows = [self.rows[row] for row in chosen]
        packed: dict[str, np.ndarray] = {"rows": np.array(chosen, dtype=np.int64)}
        outputs = self.outputs(health)
        for part in _PARTS:
            module = randomise(self.scored.module, part, seed=self.seed)
            model = ScoredModel(module, self.scored.tokenizer, caller="Benchmark")
            for name in (name for name in outputs if METHODS[name].family != "reference"):
                random = self._explain(METHODS[name], model, rows, targets[chosen]).words
                trained = [outputs[name][0].words[row] for row in chosen]
                packed[f"{name}/{part}"] = randomisation_similarity(trained, random)
        self.store.write_arrays(packed, "cells", self.name, "randomisation.safetensors")
