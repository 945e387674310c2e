"""The command ``xembed geco``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Option

from xembed.cli.options import OutputOptions, Progress, command
from xembed.cli.outputs import check_outputs, say, stamped, write

_METHODS = (
    "integrated_gradients, saliency_l1, saliency_l2, input_x_gradient, gradient_shap, deep_lift, guided_backprop, "
    "deconvolution, occlusion, lime, kernel_shap, shapley_sampling, attention_rollout, attention_gradient, "
    "uniform_random, constant, gendered_lexicon, linear_tfidf, pattern"
)

Variant = Literal[
    "all", "subject", "binary_gender_all", "binary_gender_subj", "non_binary_gender_all", "non_binary_gender_subj"
]


@command(
    "xembed geco --profile quick --plan",
    "xembed geco --schemes C,OLA --methods lime,integrated_gradients,linear_tfidf --seeds 0,1,2",
    place=60,
)
def geco(
    output: OutputOptions,
    run_dir: Annotated[
        Path | None, "Folder of models and attributions, to go on from. Default: the name of --out with '-run'."
    ] = None,
    geco_dir: Annotated[
        Path | None, Option("--geco", help="Folder of the official GECO files. Default: the bundled sentences.")
    ] = None,
    variant: Annotated[
        Variant,
        "Of the bundled sentences: all or subject. Of GECO: binary_gender_all, binary_gender_subj, "
        "non_binary_gender_all or non_binary_gender_subj.",
    ] = "all",
    profile: Annotated[
        Literal["quick", "full"], "quick: one seed, 40 sentences. full: three seeds, all sentences."
    ] = "quick",
    schemes: Annotated[str, "What is trained, by commas: C, CE, CEf, CEfAf, OLA."] = "all",
    methods: Annotated[str, f"Attribution methods, by commas, or all: {_METHODS}."] = "all",
    seeds: Annotated[str | None, "One model of each scheme for each, such as 0,1,2."] = None,
    sentences: Annotated[int | None, Option(min=2, help="Random test sentences, with all their forms.")] = None,
    samples: Annotated[int | None, Option(min=2, help="Perturbed rows a text.")] = None,
    faithful: Annotated[int | None, Option(min=0, help="Sentences for the test by deletion.")] = None,
    randomised: Annotated[int | None, Option(min=0, help="Sentences for the test by random weights.")] = None,
    target: Annotated[
        Literal["label", "predicted"], "Explain the score of the true class (label) or the predicted one (predicted)."
    ] = "label",
    model: Annotated[str | None, "Pretrained model: folder or hub id. Default: all-MiniLM-L6-v2, offline."] = None,
    device: Annotated[str, "auto, cpu, cuda, mps."] = "auto",
    plan: Annotated[bool, "Say what would be done at what cost, and stop."] = False,
    no_resume: Annotated[bool, "Refuse a folder that holds a run already."] = False,
    progress: Progress = None,
) -> None:
    """Which attribution method tells the truth about this model? Train, explain, score and write a report."""
    from xembed.geco import Benchmark
    from xembed.geco._benchmark import SCHEMES_TRAINED
    from xembed.geco._run import check_run_folder

    destination = check_outputs(output, "geco.html", [geco_dir, model])
    page = Path("geco.html") if output.out is None or output.to_stdout else output.out
    folder = run_dir or page.with_name(f"{page.stem}-run")
    if not plan:
        check_run_folder(folder)
    benchmark = Benchmark(
        _read(geco_dir, variant),
        backbone=model,
        schemes=SCHEMES_TRAINED if schemes == "all" else _names(schemes),
        methods="all" if methods == "all" else _names(methods),
        profile=profile,
        seeds=None if seeds is None else _integers(seeds),
        n_sentences=sentences,
        n_samples=samples,
        n_faithful=faithful,
        n_randomised=randomised,
        target=target,
        device=device,
    )
    say(benchmark.plan().text)
    if plan:
        return
    result = stamped(benchmark.run(folder, resume=not no_resume, progress=progress))
    for row in result.schemes:
        best = result.best(row.scheme)
        finding = "no method is valid" if best is None else _describe(result.row(row.scheme, best))
        say(f"{row.scheme}: accuracy {100 * row.accuracy.mean:.1f} %, {finding}")
    write(result, destination, output, f"run: {folder}")


def _describe(row: Any) -> str:
    score = row.metrics["mass_accuracy"]
    return f"{row.label} first with mass accuracy {score['mean']:.2f} ({score['low']:.2f} to {score['high']:.2f})"


def _read(folder: Path | None, variant: str) -> tuple[Any, Any]:
    from xembed.datasets import load_geco, load_gendered_pairs

    if folder is None:
        return load_gendered_pairs(variant, "train"), load_gendered_pairs(variant, "test")
    # The bundled sentences' default name of a variant means the same as GECO's longer one.
    name = {"all": "binary_gender_all", "subject": "binary_gender_subj"}.get(variant, variant)
    return load_geco(folder, name, "train"), load_geco(folder, name, "test")


def _names(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _integers(numbers: str) -> list[int]:
    try:
        return [int(number) for number in _names(numbers)]
    except ValueError:
        message = f"--seeds must be integers with commas between them, such as 0,1,2. Got {numbers!r}."
        raise ValueError(message) from None
