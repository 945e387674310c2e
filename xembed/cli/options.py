"""Options that several commands have."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class Distance(Enum):
    """Distances of `xembed.depth`."""

    cosine = "cosine"
    chord = "chord"
    angular = "angular"


class Mode(Enum):
    """Modes of `xembed.shift.compare_corpora`."""

    auto = "auto"
    battery = "battery"
    fast = "fast"


class Map(Enum):
    """Projections of `xembed.shift.compare_corpora`."""

    pca = "pca"
    umap = "umap"
    none = "none"


class Pooling(Enum):
    """Poolings of `xembed.load_encoder`."""

    mean = "mean"
    cls = "cls"
    max = "max"
    last_token = "last_token"
    weighted_mean = "weighted_mean"


INPUT = "texts in .txt (one a line), .csv, .jsonl or .parquet, or ready embeddings in .npy"
Model = Annotated[str | None, typer.Option(help="Hub id or local folder. Default: all-MiniLM-L6-v2, offline.")]
Layer = Annotated[int, typer.Option(help="Layer to read; -1 is the model's output.")]
PoolingOption = Annotated[Pooling | None, typer.Option(help="How tokens become one vector. Default: the model's own.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]
MaxLength = Annotated[int | None, typer.Option(help="Tokens after which texts are cut. Default: the model's own.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Texts encoded at once.")]
Cache = Annotated[bool, typer.Option("--cache/--no-cache", help="Keep embeddings on disk.")]
Progress = Annotated[
    bool | None, typer.Option("--progress/--no-progress", help="Progress bar. Default: on a terminal only.")
]
TextColumn = Annotated[str | None, typer.Option(help="Column that holds the texts.")]
SkipBlank = Annotated[bool, typer.Option("--skip-blank", help="Drop blank texts instead of refusing them.")]
