"""The benchmark: train, explain, score, and be able to stop and go on at any moment."""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from xembed._core.provenance import provenance
from xembed._core.torch import digest_tensors
from xembed._core.validation import check_count, check_number, check_option, quote_options, shows_progress
from xembed.attribution._health import MethodHealth
from xembed.attribution._method import REPORTED
from xembed.attribution._methods import METHODS, check_options, find_methods
from xembed.attribution._scored_model import ScoredModel
from xembed.concepts import paired_shift
from xembed.datasets import PairedSentences
from xembed.encoders import Encoder, describe_encoder, load_encoder
from xembed.encoders._encoding import warn_of_tokens
from xembed.encoders._words import WordEncoder
from xembed.geco import _leaderboard as board
from xembed.geco._aliases import refuse_reference
from xembed.geco._bias import word_cooccurrence
from xembed.geco._leaderboard import BenchmarkResult, LeaderboardRow, Resampling, SchemeRow
from xembed.geco._run import ConditionRun, Settings, Store, digest, prepare
from xembed.geco._schemes import SCHEMES, find_scheme
from xembed.geco._training import TrainedModel, train

# What the two profiles compute; every number can be given by itself.
PROFILES: dict[str, dict[str, Any]] = {
    "quick": {"seeds": (0,), "n_sentences": 40, "n_samples": 30, "n_faithful": 10, "n_randomised": 4},
    "full": {"seeds": (0, 1, 2), "n_sentences": None, "n_samples": 100, "n_faithful": 50, "n_randomised": 10},
}
SCHEMES_TRAINED = tuple(name for name, scheme in SCHEMES.items() if scheme.recipe is not None)
# Forward and backward together cost about twice a forward pass; with the gradients of weights three times.
_BACKWARD, _TRAINING = 2.1, 3.0
_DELETIONS = 10  # rows a text and method that faithfulness looks at
_PARTS = 2  # head and encoder are randomised
_PAIRS_OF_A_SHIFT = 10
_TARGETS = ("label", "predicted")
_NOT_OF_TRAINING = {"model", "tokenizer", "data", "scheme", "seed", "device", "progress"}


@dataclass(frozen=True)
class Plan:
    """What a run will do, and about what it will cost.

    Attributes
    ----------
    text : str
        Description in words.
    n_models : int
        Number of models to train.
    n_forward, n_backward : int
        Numbers of rows through models for the explanations, forward only, and forward and backward.
    seconds : float or None
        Duration, estimated from a few rows through the pretrained model on this machine.
    """

    text: str
    n_models: int
    n_forward: int
    n_backward: int
    seconds: float | None


class Benchmark:
    """Attribution methods, scored on models that are trained on sentences whose decisive words are known.

    Parameters
    ----------
    data : tuple of (PairedSentences, PairedSentences)
        Training and test sentences: `xembed.datasets.load_gendered_pairs` or `load_geco` for each split. No sentence
        may be in both.
    backbone : Encoder, or path or hub id, optional
        Pretrained model. By default the default encoder.
    schemes : sequence of str, default=('C', 'CE', 'CEf', 'CEfAf', 'OLA')
        Names in `SCHEMES`: which parts are trained.
    methods : str or sequence of str, default='all'
        Names in `xembed.attribution.METHODS`.
    profile : {'quick', 'full'}, default='quick'
        'quick': one seed, 40 test sentences, 30 perturbed rows a text. 'full': three seeds, all test sentences, 100
        rows. What follows is taken from it where it is not given.
    seeds : sequence of int, optional
        Seeds; one model of each scheme is trained for each.
    n_sentences : int, optional
        Number of random test sentences, each with all its forms.
    n_samples : int, optional
        Number of perturbed rows a text for LIME, Kernel SHAP and Shapley sampling.
    n_faithful, n_randomised : int, optional
        Numbers of sentences for the tests by deletion (all seeds) and by random weights (first seed); 0: no test.
    target : {'label', 'predicted'}, default='label'
        Output that is explained: that of the true class, as in the paper, or the likeliest.
    baseline, deletion, tolerance, max_steps
        Options of `xembed.attribution.explain`.
    training : dict of str to dict, optional
        Options of `train` for a scheme, such as ``{'CEfAf': {'epochs': 1}}``.
    n_resamples : int, default=2000
        Number of resamples of intervals and tests.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    reference_mode : None
        Left for one release: the published recipe with its quirks is in docs/measurements/geco_reference.
    device : str, default='auto'
        Device of training and explanation; 'auto' takes a GPU if there is one.

    Raises
    ------
    ValueError
        If a scheme, method or option is unknown, train and test share a sentence or differ in classes, a class is
        missing, or nothing is left to test on.
    TypeError
        If the data are not PairedSentences.
    NotImplementedError
        If ``reference_mode`` is given.

    Examples
    --------
    >>> import tempfile
    >>> from xembed.datasets import load_gendered_pairs
    >>> from xembed.geco import Benchmark
    >>> data = load_gendered_pairs(split="train").sample(40), load_gendered_pairs(split="test").sample(8)
    >>> benchmark = Benchmark(
    ...     data, schemes=["OLA"], methods=["saliency_l2", "uniform_random"], n_faithful=0, n_randomised=0,
    ...     n_sentences=8, training={"OLA": {"epochs": 2}}, n_resamples=100,
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = benchmark.run(folder, progress=False)
    >>> sorted(row.method for row in result.rows)
    ['chance', 'oracle', 'saliency_l2', 'uniform_random']
    """

    run_type: type[ConditionRun] = ConditionRun

    def __init__(
        self,
        data: tuple[PairedSentences, PairedSentences],
        *,
        backbone: Any = None,
        schemes: Sequence[str] = SCHEMES_TRAINED,
        methods: str | Sequence[str] = "all",
        profile: str = "quick",
        seeds: Sequence[int] | None = None,
        n_sentences: int | None = None,
        n_samples: int | None = None,
        n_faithful: int | None = None,
        n_randomised: int | None = None,
        target: str = "label",
        baseline: str = "pad",
        deletion: str = "mask",
        tolerance: float = 0.01,
        max_steps: int = 96,
        training: dict[str, dict[str, Any]] | None = None,
        n_resamples: int = 2000,
        confidence_level: float = 0.95,
        reference_mode: str | None = None,
        device: str = "auto",
    ) -> None:
        caller = "Benchmark"
        if reference_mode is not None:
            refuse_reference("Benchmark(reference_mode=...)")
        numbers = dict(PROFILES[check_option(profile, PROFILES, name="profile", caller=caller)])
        given = {
            "seeds": (seeds,) if isinstance(seeds, int) else seeds,
            "n_sentences": n_sentences,
            "n_samples": n_samples,
            "n_faithful": n_faithful,
            "n_randomised": n_randomised,
        }
        numbers |= {name: value for name, value in given.items() if value is not None}
        self.profile = profile
        self.schemes = tuple(find_scheme(name, caller=caller).name for name in dict.fromkeys(schemes))
        if not self.schemes or any(SCHEMES[name].recipe is None for name in self.schemes):
            raise ValueError(
                f"The 'schemes' of {caller} must be one or more of {SCHEMES_TRAINED}. Got {self.schemes!r}. For the "
                "answers of a masked language model, which has nothing to train, use zero_shot."
            )
        self.seeds = tuple(
            check_count(seed, name="seeds", caller=caller, low=0) for seed in dict.fromkeys(numbers["seeds"])
        )
        if not self.seeds:
            raise ValueError(f"The 'seeds' of {caller} must be one or more integers. Got none.")
        wanted = find_methods(methods, caller=caller)
        options = check_options(baseline, deletion, numbers["n_samples"], tolerance, max_steps, caller=caller)
        self.settings = Settings(
            methods=tuple(method.name for method in wanted),
            **{name: getattr(options, name) for name in REPORTED},
            target=check_option(target, _TARGETS, name="target", caller=caller),
            n_faithful=check_count(numbers["n_faithful"], name="n_faithful", caller=caller, low=0),
            n_randomised=check_count(numbers["n_randomised"], name="n_randomised", caller=caller, low=0),
        )
        self.training = _check_training(training, self.schemes, caller=caller)
        self.resampling = Resampling(
            check_count(n_resamples, name="n_resamples", caller=caller, low=20),
            check_number(confidence_level, name="confidence_level", caller=caller, low=0, high=1, closed="neither"),
            0,
        )
        # These bring PyTorch: after all that can be refused without it.
        from xembed.encoders._pipeline import find_device
        from xembed.geco._classifier import make_classifier

        self.device = find_device(device, caller=caller)
        self.backbone = load_encoder() if backbone is None else backbone
        self.model, self.tokenizer = make_classifier(self.backbone, 2)
        self.data, self.test, self.excluded = prepare(
            data, numbers["n_sentences"], WordEncoder(self.tokenizer, caller=caller), caller=caller
        )

    # ---- before it starts

    def plan(self, *, measure: bool = True) -> Plan:
        """Say what `run` will do and what it will cost; with ``measure``, by a few rows through the model."""
        lengths = [len(words) for words in self.test.data.sentences]
        options = self.settings.options(0)
        costs = [METHODS[name].rows(length, options) for name in self.settings.methods for length in lengths]
        of_model = sum(cost[0] for cost in costs), sum(cost[1] for cost in costs)
        n_models = len(self.schemes) * len(self.seeds)
        # Randomised models explain some rows of the first seed once more.
        models = n_models + len(self.schemes) * _PARTS * min(1.0, 2 * self.settings.n_randomised / len(lengths))
        swaps = sum(2.0 ** min(sum(marks), 10) for marks in self.test.data.ground_truth) / len(self.test.data.classes)
        deletions = 2 * self.settings.n_faithful * _DELETIONS * len(self.settings.methods)
        forward, backward = models * of_model[0] + n_models * (swaps + deletions), models * of_model[1]
        seconds = None
        if measure:
            scored = ScoredModel(self.model, self.tokenizer, caller="Benchmark")
            pretrained = [name for name in self.schemes if SCHEMES[name].pretrained]
            trained = len(self.seeds) * sum(_passes(name, self.training) * len(self.data) for name in pretrained)
            rows = len(pretrained) / len(self.schemes) * (forward + _BACKWARD * backward) + _TRAINING * trained
            seconds = rows / _rate(scored, self.test.data.sentences[:64])
        about = "" if seconds is None else f"; about {_duration(seconds)} on this machine"
        text = (
            f"{n_models} models ({', '.join(self.schemes)}; seeds {', '.join(map(str, self.seeds))}) are trained on "
            f"{len(self.data):,} rows of {self.data.name}; {len(self.settings.methods)} methods explain "
            f"{len(lengths):,} rows, {len(self.test.pairs):,} sentences, of {self.test.data.name}: {forward:,.0f} rows "
            f"forward, {backward:,.0f} forward and backward{about}."
        )
        return Plan(text, n_models, round(forward), round(backward), seconds)

    def describe(self) -> dict[str, Any]:
        """Return all that the numbers depend on, for the folder of a run."""
        return {
            "benchmark": 1,
            "train": [self.data.name, digest(self.data)],
            "test": [self.test.data.name, digest(self.test.data)],
            "backbone": digest_tensors(self.model.state_dict()),
            "schemes": list(self.schemes),
            "seeds": list(self.seeds),
            "settings": self._options(),
            "training": self.training,
        }

    def _options(self) -> dict[str, Any]:
        # reference_mode is of the first edition, whose folders of runs can be continued.
        return asdict(self.settings) | {"methods": list(self.settings.methods), "reference_mode": None}

    # ---- running

    def run(
        self, out_dir: str | os.PathLike[str], *, resume: bool = True, progress: bool | None = None
    ) -> BenchmarkResult:
        """Compute everything that is not in the folder yet, and return the result.

        Parameters
        ----------
        out_dir : path
            Folder of the run: trained models, attributions, and ``result.json`` in the end. Its parent has to exist.
        resume : bool, default=True
            Whether to go on with a run of the same settings that is there. Every finished piece is kept, whenever the
            run before was stopped.
        progress : bool, optional
            Whether to show the plan, a bar and the remaining time on stderr. By default only if that is a terminal.

        Returns
        -------
        BenchmarkResult
            The same numbers for the same settings on one machine, but for the seconds.

        Raises
        ------
        ValueError
            If the folder holds a run with other settings.
        FileExistsError
            If it holds other files, or a run and ``resume`` is false.
        OSError
            If it can't be written.
        RuntimeError
            If a model gives scores that are not finite.
        """
        caller = "Benchmark.run"
        show = shows_progress(progress, caller=caller)
        store = Store(out_dir, self.describe(), resume=resume, caller=caller)
        began = time.monotonic()
        with _shown(self, show) as update:
            health = self._compute(store, update)
        return self._result(store, health, time.monotonic() - began)

    def _runs(self, store: Store, scheme: str, update: Any = None) -> list[ConditionRun]:
        fitted = {
            name: METHODS[name].fit(self.data)  # type: ignore[misc]
            for name in self.settings.methods
            if METHODS[name].fit is not None
        }
        trainings = {seed: partial(self._train, scheme, seed) for seed in self.seeds}
        shared: dict[str, Any] = {"fitted": fitted, "device": self.device, "progress": update}
        return [
            self.run_type(
                store, scheme, seed, self.test, self.settings, first=seed == self.seeds[0], make=make, **shared
            )
            for seed, make in trainings.items()
        ]

    def _compute(self, store: Store, update: Any) -> dict[str, MethodHealth]:
        health: dict[str, MethodHealth] = {}
        runs = {scheme: self._runs(store, scheme, update) for scheme in self.schemes}
        for place in range(len(self.seeds)):  # a whole table for the first seed first
            for scheme in self.schemes:
                health[scheme] = runs[scheme][place].run(health.get(scheme))
        return health

    def _train(self, scheme: str, seed: int) -> TrainedModel:
        from xembed.geco._classifier import make_classifier
        from xembed.geco._one_layer import make_one_layer

        n_classes = len(self.data.classes)
        model: Any = (
            make_classifier(self.backbone, n_classes, seed=seed)[0]
            if SCHEMES[scheme].pretrained
            else make_one_layer(self.tokenizer, n_classes, seed=seed)
        )
        options = self.training.get(scheme, {})
        return train(model, self.tokenizer, self.data, scheme, seed=seed, device=self.device, progress=False, **options)

    def _result(self, store: Store, health: dict[str, MethodHealth], seconds: float) -> BenchmarkResult:
        rows: list[LeaderboardRow] = []
        schemes: list[SchemeRow] = []
        scores = {}
        for scheme in self.schemes:
            runs = self._runs(store, scheme)
            scores[scheme] = board.read_scheme(runs, health[scheme], self.test)
            records = [run.trained().record for run in runs]
            schemes.append(board.scheme_row(scheme, scores[scheme], self.test, records, self.resampling))
            rows += board.scheme_rows(
                scheme, scores[scheme], health[scheme], self.test, self.settings.methods, self.resampling
            )
        plan = self.plan(measure=False)
        result = BenchmarkResult(
            data=self.test.data.name,
            n_train=len(self.data),
            n_test=len(self.test.data),
            n_sentences=len(self.test.pairs),
            classes=self.test.data.classes,
            backbone=_name_of(self.backbone),
            seeds=self.seeds,
            schemes=tuple(schemes),
            rows=tuple(board.correct_forms(rows)),
            sentences=tuple(board.sentences_to_show(scores, self.test)),
            failures=tuple(board.failures(scores, self.test)),
            bias=self._bias(),
            excluded=dict(self.excluded),
            n_resamples=self.resampling.n_resamples,
            confidence_level=self.resampling.level,
            options=self._options() | {"profile": self.profile},
            cost={"forward": plan.n_forward, "backward": plan.n_backward, "seconds": seconds},
            notes=tuple(self._notes(health)),
            provenance=provenance("Benchmark.run", **self.describe()),
        )
        result.to_json(store.path("result.json"))
        return result

    def _bias(self) -> dict[str, Any]:
        """Return what can be said of the data, and of the backbone's embeddings of them, without a classifier."""
        bias = {"cooccurrence": word_cooccurrence(self.test.data).to_dict()}
        if isinstance(self.backbone, Encoder) and len(self.test.pairs) >= _PAIRS_OF_A_SHIFT:
            X = self.backbone.encode(list(self.test.data.texts), progress=False, cache=False)
            bias["paired_shift"] = paired_shift(X, self.test.data).to_dict()
        return bias

    def _notes(self, health: dict[str, MethodHealth]) -> list[str]:
        notes = [note for of_scheme in health.values() for note in of_scheme.notes]
        words = WordEncoder(self.tokenizer, caller="Benchmark")
        for data in (self.data, self.test.data):
            rows = [row.ids for row in words.encode(data.sentences)]
            notes += warn_of_tokens(self.tokenizer, rows, data.texts, data.name)
        if len(self.seeds) == 1:
            notes.append("One seed: the intervals say nothing about other trainings of the same scheme.")
        elif len(self.seeds) < 5:
            notes.append(
                f"{len(self.seeds)} seeds: where trainings of a scheme differ much, intervals are too narrow (95 % "
                "intervals cover about 87 % with three)."
            )
        if self.settings.target == "label":
            notes.append("The score of the true class is explained, right or wrong.")
        return notes


# ---- checks


def _check_training(training: Any, schemes: Sequence[str], *, caller: str) -> dict[str, dict[str, Any]]:
    """Return the options of `train` for each scheme: its recipe, and what is given."""
    given = {} if training is None else dict(training)
    if unknown := sorted(set(given) - set(schemes)):
        raise ValueError(f"The 'training' of {caller} must be of the schemes {tuple(schemes)}. Got {unknown!r} too.")
    # Before anything is trained: the last scheme's turn may come after hours.
    known = set(inspect.signature(train).parameters) - _NOT_OF_TRAINING
    for name, options in given.items():
        if not isinstance(options, Mapping) or (wrong := sorted(set(options) - known)):
            raise ValueError(
                f"The 'training' of {caller} must be, for each scheme, a dictionary of the options "
                f"{quote_options(known)}. Got {options if not isinstance(options, Mapping) else wrong!r} for {name!r}."
            )
    recipes = {name: recipe for name in schemes if (recipe := SCHEMES[name].recipe) is not None}
    return {name: recipe._asdict() | dict(given.get(name, {})) for name, recipe in recipes.items()}


def _name_of(backbone: Any) -> str:
    return str(describe_encoder(backbone).get("model", backbone)) if isinstance(backbone, Encoder) else str(backbone)


# ---- the plan


def _passes(scheme: str, training: Mapping[str, Mapping[str, Any]]) -> float:
    """Return passes over the data in training, in units of a full one: a frozen encoder is run once, forward."""
    return 1 / _TRAINING if SCHEMES[scheme].parts == ("head",) else float(training[scheme]["epochs"])


def _rate(scored: ScoredModel, sentences: Sequence[Sequence[str]]) -> float:
    """Return rows a second, forward."""
    rows = [row.ids for row in scored.words.encode(sentences)]
    scored.score_ids(rows[:8])
    began = time.perf_counter()
    scored.score_ids(rows)
    return len(set(rows)) / max(time.perf_counter() - began, 1e-6)


def _duration(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} hours"


# ---- progress


@contextlib.contextmanager
def _shown(benchmark: Benchmark, show: bool) -> Iterator[Any]:
    """Show the plan, and a bar of the rows that go through models, with the remaining time."""
    if not show:
        yield None
        return
    from tqdm import tqdm

    plan = benchmark.plan()
    tqdm.write(plan.text, file=sys.stderr)
    with tqdm(total=plan.n_forward + plan.n_backward, unit="row", unit_scale=True, smoothing=0.05) as bar:
        yield lambda n: bar.update(n)
