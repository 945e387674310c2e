"""The command ``xembed isotropy``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from xembed.cli.inputs import TextsBeside, check_same_kind, name_of, open_source
from xembed.cli.options import INPUT, NormalizingEncoderOptions, OutputOptions, ReadingOptions, Seed, command
from xembed.cli.outputs import check_output_file, check_outputs, say, stamped, warn, write

_PAIRS = "pairs with scores: STS-B, SICK, a SemEval folder, or a table with sentence1, sentence2, score"


@command(
    "xembed isotropy reviews.csv --layers",
    "xembed isotropy reviews.csv --tune sts-train.csv --test sts-dev.csv --save correction.safetensors",
    place=40,
)
def isotropy(
    texts: Annotated[Path, Argument(help=f"The texts whose embeddings are measured: {INPUT}.")],
    reading: ReadingOptions,
    encoding: NormalizingEncoderOptions,
    output: OutputOptions,
    beside: TextsBeside = None,
    fit: Annotated[Path | None, "Other texts, to fit corrections on. Default: the sentences of --tune."] = None,
    tune: Annotated[Path | None, f"What chooses a correction: {_PAIRS}."] = None,
    test: Annotated[list[Path] | None, "What judges it, of the same form; may be given several times."] = None,
    label_column: Annotated[str | None, "Column of labels of the texts, for a linear probe in place of pairs."] = None,
    layers: Annotated[bool, "Measure every layer of the model, too."] = False,
    transductive: Annotated[bool, "Allow fitting on the test sentences; the report says so."] = False,
    save: Annotated[Path | None, "Write the recommended correction to this .safetensors file."] = None,
    resamples: Annotated[int, Option(min=20, help="Resamples for the intervals.")] = 200,
    name: Annotated[str | None, "What the report calls the texts. Default: the file name."] = None,
    seed: Seed = 0,
) -> None:
    """Is the embedding space sound, and would a correction help? Measure it and write a report."""
    from xembed.datasets import load_sts
    from xembed.isotropy import default_corrections, diagnose
    from xembed.isotropy._sts import named_texts

    inputs = [texts, beside, fit, tune, *(test or ()), encoding.model]
    destination = check_outputs(output, "isotropy.html", inputs)
    if save is not None:
        check_output_file(save, "--save", [".safetensors"], inputs, overwrite=output.overwrite)
    opened = open_source(texts, reading, beside)
    source, is_text = opened.data, opened.data is opened.table
    labels = None if label_column is None else opened.column(label_column, "--label-column")
    fit_source = None if fit is None else open_source(fit, reading).data
    if fit_source is not None:
        check_same_kind(source, fit_source, "The texts and --fit")
    options: dict[str, Any] = {
        "fit_texts": fit_source,
        "labels": labels,
        "n_resamples": resamples,
        "transductive": transductive,
        "name": name or name_of(texts),
        "progress": encoding.progress,
        "rng": seed,
        "tune": None if tune is None else load_sts(tune),
        "test": None if not test else [pairs for path in test for pairs in load_sts(path)],
        "layers": layers,
    }
    if is_text:
        result = diagnose(encoding.encoder, source, cache=encoding.cache, batch_size=encoding.batch_size, **options)
    else:
        result = diagnose(source, opened.texts, **options)
    result = stamped(result)
    warn(result.warnings)
    for measure_name in ("debiased_isoscore", "average_cosine"):
        before = result.before.measure(measure_name)
        if before.value is not None:
            say(f"{before.label}: {before.value:.3f} (isotropic: {before.perfect:g})")
    say(result.reason)
    if save is not None:
        if result.recommendation in {None, "none"}:
            warn(["no correction is recommended, so none was saved."])
        else:
            rows: Any = fit_source
            if is_text:
                fitted_on = named_texts(fit_source or options["tune"], name="fit", caller="xembed isotropy")
                rows = encoding.encoder.encode(fitted_on.texts)
            default_corrections()[result.recommendation].fit(rows).save(save)
            say(f"Correction: {save}  (xembed.isotropy.load_correction, wrap)")
    write(result, destination, output)
