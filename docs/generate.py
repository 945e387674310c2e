"""The parts of the reference that are made from the package: its schemas, its packages and the names in them."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import re
from typing import TYPE_CHECKING

import xembed
from xembed._core.schemas import FIRST_EDITION, result_classes

if TYPE_CHECKING:
    from pathlib import Path

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
_ENTRY = re.compile(r"^(\S.*)\n((?:(?:[ \t].*)?(?:\n|\Z))*)", re.MULTILINE)


def packages() -> list[str]:
    """Return the public packages, those of analyses first in the order of the alphabet."""
    names = sorted(name for name in dir(xembed) if inspect.ismodule(getattr(xembed, name)) and name[0] != "_")
    foundations = [name for name in ("stats", "encoders", "datasets", "reports") if name in names]
    return [f"xembed.{name}" for name in [*(name for name in names if name not in foundations), *foundations]]


def table_of_packages() -> str:
    """Return the list of packages with what each is for, as MyST."""
    return "```{eval-rst}\n.. autosummary::\n\n" + "".join(f"   {name}\n" for name in packages()) + "```\n"


def write_package_pages(folder: Path) -> None:
    """Write a page a package: a table of its public names, and the documentation of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in packages():
        package = getattr(xembed, name.rpartition(".")[2])
        public = sorted(dir(package))
        homes = {item: getattr(getattr(package, item), "__module__", None) for item in public}
        own = [item for item, home in homes.items() if callable(getattr(package, item)) and _is_in(home, name)]
        moved = {item: ".".join(home.split(".")[:2]) for item, home in homes.items() if home and not _is_in(home, name)}
        lines = [name, "=" * len(name), "", f".. automodule:: {name}", "   :no-members:", ""]
        lines += [f".. currentmodule:: {name}", "", ".. autosummary::", "   :nosignatures:", ""]
        lines += [*(f"   {item}" for item in own), ""]
        constants = [item for item, home in homes.items() if home is None]
        if constants:
            lines += ["Constants: " + ", ".join(f"``{item}``" for item in constants) + ".", ""]
        if moved:
            where = ", ".join(f"`{item} <{home}.{item}>`" for item, home in moved.items())
            lines += [f"Also importable from here, documented where they are: {where}.", ""]
        for item in own:
            kind = "class" if inspect.isclass(getattr(package, item)) else "function"
            lines += [f".. auto{kind}:: {item}", *(["   :members:", "   :show-inheritance:"] * (kind == "class")), ""]
        (folder / f"{name}.rst").write_text("\n".join(lines), encoding="utf-8")


def _is_in(module: str | None, package: str) -> bool:
    return module is not None and (module == package or module.startswith(f"{package}."))


def schemas() -> str:
    """Return a section a result class, with a table of its fields, as MyST."""
    old_names = {new: old for old, new in FIRST_EDITION.items()}
    return "\n".join(_schema(schema, kind, old_names.get(schema)) for schema, kind in sorted(result_classes().items()))


def _schema(schema: str, kind: type, old: str | None) -> str:
    about = _myst(_SECTION.split(inspect.getdoc(kind) or "")[0])
    if old is not None:
        about += f"\n\nFiles of the first edition name it `{old}`."
    rows = []
    names = [field.name for field in dataclasses.fields(kind)]
    for (type_, meaning), group in itertools.groupby(names, documented_fields(kind).__getitem__):
        rows.append(f"| {', '.join(f'`{name}`' for name in group)} | {_cell(type_)} | {_cell(meaning)} |")
    return "\n".join([f"## `{schema}`", "", about, "", "| field | type | meaning |", "|---|---|---|", *rows, ""])


def documented_fields(kind: type) -> dict[str, tuple[str, str]]:
    """Return the type and the meaning of each field that the docstrings of a result class and its bases name."""
    fields = {}
    for base in reversed(kind.__mro__):
        parts = _SECTION.split(inspect.cleandoc(base.__doc__ or ""))
        entries = _ENTRY.findall(dict(zip(parts[1::2], parts[2::2], strict=True)).get("Attributes", ""))
        for head, body in entries:
            names, _, type_ = head.partition(" : ")
            for name in (name.strip() for name in names.split(",")):
                fields[name] = type_ or inspect.get_annotations(base)[name], inspect.cleandoc(f"    {body.strip()}")
    return fields


def _cell(text: str) -> str:
    return " ".join(_myst(text).replace("|", r"\|").split())


def _myst(text: str) -> str:
    """Return reStructuredText of docstrings as MyST: code, formulas, no references to a list that is not there."""
    text = re.sub(r"\s*\[\d+\]_", "", text)
    text = re.sub(r":math:`([^`]+)`", r"$\1$", text)
    text = re.sub(r":\w+:`~?([^`<]+)`", r"`\1`", text)
    return re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL).strip()
