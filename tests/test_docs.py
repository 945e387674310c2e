"""Documentation against what it documents."""

import dataclasses
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

from xembed._core.schemas import result_classes

ROOT = Path(__file__).resolve().parents[1]
RESULTS = result_classes()


@pytest.fixture(scope="module")
def generate():
    """Return the module that makes the reference from the package."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def schemas(generate):
    """Return the sections of the generated reference of JSON files by schema."""
    text = generate.schemas()
    return dict(re.findall(r"^## `([^`]+)`\n\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))


def test_every_schema_has_a_section(schemas):
    assert len(RESULTS) > 50 and schemas.keys() == RESULTS.keys()


@pytest.mark.parametrize("schema", sorted(RESULTS))
def test_every_field_of_the_json_is_documented(schemas, schema):
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in schemas[schema].splitlines() if line.startswith("| `")]
    documented = [name for names, _, _ in rows for name in re.findall(r"`(\w+)`", names)]
    assert documented == [field.name for field in dataclasses.fields(RESULTS[schema])]
    assert all(type_.strip() and len(meaning.strip()) > 3 for _, type_, meaning in rows)
    assert not re.search(r"``|:\w+:`|\]_", schemas[schema])  # of reStructuredText nothing is left


def test_docstrings_of_results_name_no_field_that_is_gone(generate):
    for kind in RESULTS.values():
        attributes = {name for name, _ in inspect.getmembers(kind)} | {field.name for field in dataclasses.fields(kind)}
        assert set(generate.documented_fields(kind)) <= attributes


def test_old_names_of_schemas_are_told(schemas):
    assert "Files of the first edition name it `xembed.shift/1`." in schemas["xembed.shift.ShiftResult/1"]


def test_every_public_name_is_in_the_reference(generate, tmp_path):
    generate.write_package_pages(tmp_path)
    pages = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.rst")}
    assert list(pages.keys() ^ set(generate.packages())) == []
    for package in generate.packages():
        assert package in generate.table_of_packages()
        module = importlib.import_module(package)
        for name in dir(module):
            if not inspect.ismodule(getattr(module, name)):
                listed = (f".. autoclass:: {name}\n", f".. autofunction:: {name}\n", f"``{name}``", f"`{name} <xembed.")
                assert any(text in pages[package] for text in listed), f"{package}.{name}"


def test_pages_ask_for_what_is_generated():
    marks = {"schemas": "schemas.md", "packages": "api.md"}
    for mark, page in marks.items():
        assert f"<!-- generated: {mark} -->" in (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")


def test_every_cited_work_is_in_the_bibliography():
    bibliography = (ROOT / "xembed" / "reports" / "references.bib").read_text(encoding="utf-8")
    keys = set(re.findall(r"^@\w+\{(\w+),", bibliography, re.MULTILINE))
    cited = {
        key.strip()
        for path in (ROOT / "docs").rglob("*.md")
        for group in re.findall(r"\{cite:?\w*\}`([^`]+)`", path.read_text(encoding="utf-8"))
        for key in group.split(",")
    }
    assert len(cited) > 20 and cited <= keys


def test_gallery_names_its_pages_and_commands():
    folder = ROOT / "reports"
    text = (folder / "README.md").read_text(encoding="utf-8")
    for page in folder.glob("*.html"):
        assert page.stat().st_size < 3_000_000
        assert f"]({page.name})" in text and f"--out reports/{page.name}" in text
