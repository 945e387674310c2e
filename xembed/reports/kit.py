"""What pages are made of, in one place for the modules that make them.

A page function takes the plain data of a result and returns a `Page`; its module imports this one, numpy, and light
tables of facts. CONTRIBUTING.md says how to write one.
"""

from xembed.reports._blocks import (
    Bar,
    Block,
    Bullets,
    Button,
    Card,
    Cards,
    Cell,
    Column,
    Columns,
    Data,
    Definitions,
    Dumbbell,
    Figure,
    Fold,
    Heading,
    Line,
    Prose,
    Quantiles,
    Row,
    Section,
    Span,
    Table,
    TextTable,
    Whisker,
    method,
    name,
    numbers,
    plain_text,
    quiet,
    status,
    strong,
)
from xembed.reports._page import Finding, Page
from xembed.reports._script_data import pack, script_json
from xembed.reports._text import direction, listed, plain, short_names
from xembed.reports._words import Aligned, Chip, Inspector, WordItem, WordList, Words, chip, legend, named, signed

__all__ = [
    "Aligned", "Bar", "Block", "Bullets", "Button", "Card", "Cards", "Cell", "Chip", "Column", "Columns", "Data",
    "Definitions", "Dumbbell", "Figure", "Finding", "Fold", "Heading", "Inspector", "Line", "Page", "Prose",
    "Quantiles", "Row", "Section", "Span", "Table", "TextTable", "Whisker", "WordItem", "WordList", "Words", "chip",
    "direction", "legend", "listed", "method", "name", "named", "numbers", "pack", "plain", "plain_text", "quiet",
    "script_json", "short_names", "signed", "status", "strong",
]  # fmt: skip
