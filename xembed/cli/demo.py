"""The command ``xembed demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument

from xembed.cli.inputs import Source
from xembed.cli.options import EncoderOptions, OutputOptions, Progress, command
from xembed.cli.outputs import check_outputs
from xembed.cli.shift import compare_sources, write_shift

# The column that tells the two corpora of a demo apart, its values for F and G, and the corpora's names.
_CORPORA: dict[str, tuple[str, Any, Any, tuple[str, str]]] = {
    "support_tickets": ("week", 1, 2, ("week 1", "week 2")),
    "product_reviews": ("source", "human_style", "imitation", ("human style", "imitation")),
}


@command("xembed demo", "xembed demo support_tickets --words --out tickets.html", place=0)
def demo(
    output: OutputOptions,
    corpus: Annotated[
        Literal["support_tickets", "product_reviews"], Argument(help="Which bundled pair of corpora.")
    ] = "product_reviews",
    words: Annotated[bool, "Say which words the shift is made of, text by text, on the same page."] = False,
    progress: Progress = None,
) -> None:
    """Compare two bundled corpora and write the report: needs no data and no network."""
    from xembed.datasets import load_corpora

    default = Path("xembed-demo", f"{corpus}.html")
    if output.out is None and output.format == "text":
        default.parent.mkdir(exist_ok=True)
    destination = check_outputs(output, default, [])
    column, f, g, names = _CORPORA[corpus]
    table = load_corpora(corpus)
    parts = (table.where(**{column: value}) for value in (f, g))
    F, G = (Source(Path(corpus), part, part, part.rows) for part in parts)
    sources = (F, G)
    encoding = EncoderOptions(progress=progress)
    result = compare_sources(sources, encoding, names=names, rng=0)
    write_shift(result, (destination, output), sources if words else None, encoding, seed=0)
