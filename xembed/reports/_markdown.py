"""Pages as Markdown: title, verdict, key numbers, caveats, and every table, for a terminal or an issue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from xembed.reports import _blocks as blocks
from xembed.reports._blocks import Block, Data, Line, Span, plain_text
from xembed.reports._page import Page, Part
from xembed.reports._render import any_page
from xembed.reports._words import WordList, Words

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$])")
_MOST_WORDS = 20  # of a text, those with the largest numbers


def render_markdown(data: Data) -> str:
    """Return the page of a result's plain data as Markdown: what it says, and its tables as those of GitHub.

    Parameters
    ----------
    data : mapping
        Plain data with a ``schema``.

    Returns
    -------
    str
        Title, verdict, key numbers, caveats and tables. Figures are their captions, with the numbers where the page
        has them; texts of users are escaped.

    Raises
    ------
    ValueError
        If there is no page for the schema.
    """
    return "\n\n".join(filter(None, _page(any_page(data), 1))) + "\n"


def _page(page: Page, level: int) -> Iterable[str]:
    yield f"{'#' * level} {_line(page.heading)}"
    if page.finding.words:
        yield f"**{page.finding.mark} {_line(page.finding.words)}**"
    yield _line(page.verdict)
    if page.cards:
        yield _block(page.numbers, level)
    if page.caveats:
        yield f"{'#' * (level + 1)} Caveats"
        yield _bullets(page.caveats)
    for block in page.blocks:
        yield _block(block, level + 1)


def _line(line: Line) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(_seen(line).split()))


def _seen(line: Line) -> str:
    """Return the characters of a line but for what is said to screen readers alone."""
    if isinstance(line, str):
        return line
    if isinstance(line, Span):
        return "" if line.style == "spoken" else line.text
    return "".join(map(_seen, line))


def _bullets(lines: Sequence[Line], mark: str = "-") -> str:
    return "\n".join(f"{mark} {_line(one)}" for one in lines)


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    ruler = [" ---: " if one else " --- " for one in numeric]
    lines = [heads, *rows]
    return "\n".join(
        [f"| {' | '.join(lines[0])} |", f"|{'|'.join(ruler)}|", *(f"| {' | '.join(line)} |" for line in lines[1:])]
    )


def _block(block: Block, level: int) -> str:  # noqa: C901 - one case a kind of block
    """Return a block as Markdown; nothing for what only a page with scripts can show."""
    match block:
        case blocks.Section():
            body = _all(block.blocks, level + 1)
            return f"{'#' * level} {_line(block.title)}\n\n{body}" if body else ""
        case blocks.Panel() | Words() as titled:
            body = _words(titled) if isinstance(titled, Words) else _all(titled.blocks, level)
            return f"**{_line(titled.title)}**\n\n{body}" if titled.title else body
        case blocks.Fold():
            return f"**{_line(block.summary)}**\n\n{_all(block.blocks, level)}"
        case blocks.Columns():
            return _all(block.blocks, level)
        case blocks.Heading():
            return f"**{_line(block.title)}**"
        case blocks.Prose():
            return _line(block.text)
        case blocks.Bullets():
            return _bullets(block.lines, "1." if block.numbered else "-")
        case blocks.Definitions():
            return "\n".join(f"- **{_line(term)}**: {_line(meaning)}" for term, meaning in block.items)
        case blocks.Cards():
            notes = [_line([plain_text(card.note), " ", plain_text(card.more)]) for card in block.cards]
            rows = [
                (_line(card.label), f"**{_line(card.value)}**", note)
                for card, note in zip(block.cards, notes, strict=True)
            ]
            return _grid(["Number", "Value", "Meaning"], rows, [False, True, False])
        case blocks.Table():
            return _table(block)
        case blocks.Figure():
            inner = f"\n\n{_table(block.table)}" if block.table else ""
            return f"**{_line(block.title)}** {_line(block.caption)}{inner}"
        case WordList():
            return "\n".join(f"- Row {item.row}: {_words(words)}" for item, words in block.static)
        case Part():
            return "\n\n".join(filter(None, _page(block.page, level)))
    return ""


def _all(inner: Sequence[Block], level: int) -> str:
    return "\n\n".join(filter(None, (_block(block, level) for block in inner)))


def _words(block: Words) -> str:
    order = sorted(range(len(block.chips)), key=lambda i: -abs(block.values[i]))[:_MOST_WORDS]
    return ", ".join(f"{_line(block.words[i])} ({_line(block.chips[i].value)})" for i in order)


def _table(block: blocks.Table) -> str:
    rows = []
    for _, cells in block.lines:
        row: list[str] = []
        for cell, _ in cells:
            sign = cell.mark[0] if cell.mark else "✓" if cell.sure else ""
            row += [" ".join(filter(None, (_line(cell.text), sign, _line(cell.note)))), *[""] * (cell.span - 1)]
        rows.append(row)
    grid = _grid([_line(head.label) for head in block.heads], rows, [head.kind == "number" for head in block.heads])
    title = f"**{_line(block.title)}**" if block.title else ""
    return "\n\n".join(filter(None, (title, grid, _line(block.note))))
