"""The rules that hold the package together, read from its source: imports, registration, length of files."""

import ast
import functools
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "xembed"

# Floors: what is on one imports from the same and from lower ones (those of one floor never in a circle).
FLOORS = (
    ("_core", "stats"),
    ("datasets", "encoders", "reports"),
    ("depth",),
    ("transforms", "shift", "spaces"),
    ("isotropy", "retrieval", "concepts", "leakage"),
    ("attribution", "defsent"),
    ("geco",),
    ("audit",),
    ("cli",),
)
FLOOR = {package: number for number, packages in enumerate(FLOORS) for package in packages}
ANALYSES = {package for packages in FLOORS[2:-1] for package in packages}
TORCH = {"torch", "transformers", "sentence_transformers", "captum"}
MAY_IMPORT_TORCH = {"encoders", "attribution", "geco", "defsent"}
# What a module may import at its level where `read_result` or a page needs it.
LIGHT = {"numpy", "lazy_loader", "typing_extensions"}
LONGEST = 800  # lines without docstrings

# The one arrow up that stays: a result asked for its page asks the kit, when it is called.
BY_DESIGN = {"xembed._core.results -> reports"}


@dataclass(frozen=True)
class Import:
    """One imported module: ``target`` is a dotted name; ``when`` is "load" (of the module), "call" or "typing"."""

    target: str
    when: str


@dataclass(frozen=True)
class Module:
    """A source file."""

    name: str
    tree: ast.Module
    lines: int
    imports: tuple[Import, ...]

    @property
    def room(self):
        """Return the subpackage, or an empty string for what is at the top."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else ""

    @property
    def is_page(self):
        """Say whether this is where an analysis makes its pages."""
        return self.room in ANALYSES and self.name.split(".")[2:3] == ["_pages"]


def name_of(path):
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def stub(package):
    """Return where a package's lazily loaded names are: {name: (module, name there)}."""
    path = SOURCES[package].with_suffix(".pyi")
    if SOURCES[package].name != "__init__.py" or not path.exists():
        return {}
    names = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, (absolute(package, node, is_package=True), node.module)))
            for alias in node.names:
                names[alias.asname or alias.name] = (module, alias.name)
    return names


def absolute(module, node, is_package):
    """Return the package that a relative import starts from (an empty string for an absolute one)."""
    if not node.level:
        return ""
    parts = module.split(".")
    return ".".join(parts[: len(parts) - node.level + is_package])


def targets(module, name):
    """Yield the modules that ``from module import name`` loads: the module itself, and where a lazy name leads."""
    yield module
    if f"{module}.{name}" in SOURCES:
        yield f"{module}.{name}"
    elif module in SOURCES and name in stub(module):
        yield from targets(*stub(module)[name])


class Imports(ast.NodeVisitor):
    """Collects the imports of one module, and when each is made."""

    def __init__(self, module, is_package):
        self.module, self.is_package, self.when, self.found = module, is_package, "load", []

    def inside(self, when, body):
        before, self.when = self.when, when if self.when == "load" else self.when
        for node in body:
            self.visit(node)
        self.when = before

    def visit_FunctionDef(self, node):
        self.inside("call", node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node):
        typing = ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"
        self.inside("typing" if typing else self.when, node.body)
        self.inside(self.when, node.orelse)

    def visit_Import(self, node):
        for alias in node.names:
            self.found.append(Import(alias.name, self.when))

    def visit_ImportFrom(self, node):
        module = ".".join(filter(None, (absolute(self.module, node, self.is_package), node.module)))
        for alias in node.names:
            self.found.extend(Import(target, self.when) for target in targets(module, alias.name))


def read(name, path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    imports = Imports(name, path.name == "__init__.py")
    imports.visit(tree)
    return Module(name, tree, len(text.splitlines()), tuple(dict.fromkeys(imports.found)))


MODULES = {name: read(name, path) for name, path in SOURCES.items()}


def loads(name):
    """Return all that importing a module loads: modules of the package, and top-level names of others."""
    seen, others, to_do = set(), set(), [name]
    while to_do:
        module = to_do.pop()
        if module in seen:
            continue
        seen.add(module)
        for item in MODULES[module].imports:
            if item.when != "load":
                continue
            if item.target in MODULES:
                to_do.append(item.target)
            elif item.target.split(".")[0] != "xembed":
                others.add(item.target.split(".")[0])
    return seen, others - set(sys.stdlib_module_names)


def room(target):
    return MODULES[target].room if target in MODULES else None


@functools.cache
def result_classes():
    """Return the results of the package: {(module, class): schema or None}."""
    classes = [(m.name, node) for m in MODULES.values() for node in ast.walk(m.tree) if isinstance(node, ast.ClassDef)]
    names = {"Result"}
    while True:
        more = {node.name for _, node in classes if {ast.unparse(base).split(".")[-1] for base in node.bases} & names}
        if more <= names:
            break
        names |= more
    results = {}
    for module, node in classes:
        if node.name in names - {"Result"}:
            values = [
                ast.literal_eval(item.value)
                for item in node.body
                if isinstance(item, ast.AnnAssign) and ast.unparse(item.target) == "schema" and item.value
            ]
            results[module, node.name] = values[0] if values else None
    return results


def test_every_room_has_a_floor():
    assert {m.room for m in MODULES.values()} - {""} <= set(FLOOR)


def test_arrows_point_one_way():
    arrows = {(m, room(item.target)) for m in MODULES.values() for item in m.imports if item.when != "typing"}
    upward = {f"{m.name} -> {other}" for m, other in arrows if m.room and other and FLOOR[other] > FLOOR[m.room]}
    assert upward == BY_DESIGN


def test_rooms_of_one_floor_import_one_another_in_no_circle():
    arrows = {}
    for m in MODULES.values():
        for item in m.imports:
            other = room(item.target)
            if item.when != "typing" and m.room and other and other != m.room and FLOOR[other] <= FLOOR[m.room]:
                arrows.setdefault(m.room, set()).add(other)
    assert not {f"{a} -> {b}" for a, b in circles(arrows)}


def circles(arrows):
    """Return the pairs (a, b) with an arrow from a to b and a way back."""

    def reached(start):
        seen, to_do = set(), [start]
        while to_do:
            for target in arrows.get(to_do.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    to_do.append(target)
        return seen

    return {(a, b) for a in arrows for b in arrows[a] if a in reached(b)}


def test_no_module_is_in_a_circle_of_imports():
    arrows = {
        m.name: {i.target for i in m.imports if i.when == "load" and i.target in MODULES and i.target != m.name}
        for m in MODULES.values()
    }
    assert not {f"{a} -> {b}" for a, b in circles(arrows)}


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {("b", "c"), ("c", "b")}


def test_analyses_import_reports_only_from_their_pages():
    violations = {
        f"{m.name} -> {item.target}"
        for m in MODULES.values()
        for item in m.imports
        if m.room in ANALYSES and not m.is_page and item.when != "typing" and room(item.target) == "reports"
    }
    assert not violations


def test_pages_import_nothing_heavier_than_numpy():
    violations = set()
    for m in MODULES.values():
        if m.is_page:
            own = {item.target.split(".")[0] for item in m.imports if item.when != "typing"}
            others = (own | loads(m.name)[1]) - LIGHT - {"xembed"} - set(sys.stdlib_module_names)
            violations |= {f"{m.name} -> {other}" for other in others}
    assert not violations


def test_torch_is_imported_where_models_are():
    violations = {
        f"{m.name} -> {item.target}"
        for m in MODULES.values()
        for item in m.imports
        if item.when != "typing"
        and item.target.split(".")[0] in TORCH
        and m.room not in MAY_IMPORT_TORCH
        and m.name != "xembed._core.torch"
    }
    assert not violations


def test_modules_that_hold_results_load_nothing_heavier_than_numpy():
    """What `read_result` imports is the module of one class, and what that loads."""
    violations = set()
    for module, _ in result_classes():
        violations |= {f"{MODULES[module].room} -> {other}" for other in loads(module)[1] - LIGHT}
    assert not violations


def test_files_are_short_enough_to_read():
    lengths = {}
    for m in MODULES.values():
        documented = set()
        for node in ast.walk(m.tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
                ast.get_docstring(node, clean=False) is not None
            ):
                documented |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
        lengths[m.name] = m.lines - len(documented)
    assert not {name for name, length in lengths.items() if length > LONGEST}


def test_every_result_is_registered_by_its_schema():
    """A schema names the class and a package that exports it: `read_result` finds it there, and nothing lists it."""
    violations = set()
    for (module, name), schema in result_classes().items():
        match = re.fullmatch(r"xembed\.(\w+)\.(\w+)/\d+", schema or "")
        package = MODULES[module].room
        if not match or match.groups() != (package, name) or name not in stub(f"xembed.{package}"):
            violations.add(f"{module}.{name}")
    assert not violations


def test_results_are_seen():
    assert len(result_classes()) > 50
    assert result_classes()["xembed.shift._rank_sum", "RankSumResult"] == "xembed.shift.RankSumResult/1"


@pytest.mark.parametrize("package", [name for name, path in SOURCES.items() if path.name == "__init__.py"])
def test_stubs_name_their_own_modules(package):
    """Names are re-exported under their own name, from a module of the same package that defines or moves them."""
    for name, (module, original) in stub(package).items():
        assert name == original
        assert module == package or module.startswith(f"{package}.")
        assert module in SOURCES
