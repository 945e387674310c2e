"""The documentation: its links lead somewhere, its code runs, and the site builds without a warning or a network."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
WITH_CODE = [path for folder in ("howto", "explanation") for path in sorted((DOCS / folder).glob("*.md"))]
# Half a minute or more each on one core.
LONG = ("benchmark_explanations", "explain_texts", "isotropy")


def name(path):
    return path.relative_to(DOCS).as_posix()


def blocks(path, opening):
    return re.findall(rf"^```{opening}[^\n]*\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def anchors(path):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), f"{link} in {name(path)}"
        assert not anchor or anchor in anchors(found), f"{link} in {name(path)}"


def test_every_page_is_in_the_index():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    trees = re.findall(r"^```{toctree}\n(.*?)^```", index, re.DOTALL | re.MULTILINE)
    listed = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    assert sorted(listed) == sorted({name(path).removesuffix(".md") for path in PAGES} - {"index"})


@pytest.mark.parametrize("path", WITH_CODE, ids=name)
def test_blocks_of_a_page_run(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    for number, block in enumerate(blocks(path, "python")):
        exec(compile(block, f"{name(path)}, block {number + 1}", "exec"), namespace)


def test_pages_with_code_have_some():
    assert sum(bool(blocks(path, "python")) for path in WITH_CODE) >= 5


def run_cells(path):
    """Run a tutorial's cells as the build does, and return what the last line of each gave."""
    namespace, values = {"__name__": "page"}, []
    for number, cell in enumerate(blocks(path, r"{code-cell}")):
        tree = ast.parse(cell)
        shown = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        where = f"{name(path)}, cell {number + 1}"
        exec(compile(tree, where, "exec"), namespace)
        if shown is not None:
            values.append(eval(compile(ast.Expression(shown.value), where, "eval"), namespace))
    return namespace, values


def test_first_tutorial_finds_what_was_planted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace, _ = run_cells(DOCS / "tutorials" / "first_shift_report.md")
    result = namespace["result"]
    # What the page says of its numbers.
    assert {region.status for region in result.regions.regions} == {"new", "vanished", "unchanged"}
    assert [facet.name for facet in result.facets if facet.found] == ["location", "shape"]
    assert abs(namespace["result"].tests[1].effect_size - 0.002) < 0.001
    assert not result.surface.n_different and not result.terms.n_significant and not len(result.coverage.uncovered_G)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_tutorial_on_a_synthetic_corpus_finds_the_collapse(capsys):
    namespace, _ = run_cells(DOCS / "tutorials" / "synthetic_corpus.md")
    audit = namespace["audit"]
    assert audit.test.effect_size > 0.8 and audit.similarity_within_G > 2 * audit.similarity_within_F
    assert len(audit.coverage.uncovered_G) == 0 and len(audit.coverage.uncovered_F) > 150
    assert audit.surface.auc > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("stem", LONG)
def test_long_tutorials_run(stem, capsys):
    if not os.environ.get("XEMBED_FULL"):
        pytest.skip("a minute each: XEMBED_FULL=1, or make docs")
    namespace, _ = run_cells(DOCS / "tutorials" / f"{stem}.md")
    if stem == "isotropy":
        assert namespace["output"].recommendation == namespace["middle"].recommendation == "none"
    elif stem == "explain_texts":
        assert namespace["trust"].trusted
        first = namespace["words"][namespace["words"]["text"] == 0]
        assert first.loc[first["attribution"].idxmin(), "word"] == "violin"
    else:
        row = namespace["result"].row
        assert row("C", "integrated_gradients").metrics["mass_accuracy"]["mean"] < 0.6
        assert row("C", "guided_backprop").status == row("C", "deep_lift").status == "degenerate"


@pytest.mark.parametrize("path", TUTORIALS, ids=name)
def test_cells_of_tutorials_compile_and_end_with_a_meaning(path):
    for cell in blocks(path, r"{code-cell}"):
        ast.parse(cell)
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[-1] == "What the numbers mean"
    assert text.startswith("---\nfile_format: mystnb\n")


@pytest.mark.slow
def test_site_builds_without_a_warning_and_loads_nothing(tmp_path):
    if not os.environ.get("XEMBED_FULL"):
        pytest.skip("minutes: XEMBED_FULL=1, or make docs")
    if importlib.util.find_spec("sphinx") is None:
        pytest.skip("needs the extra 'docs'")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", str(DOCS), str(tmp_path)]
    subprocess.run(command, check=True, timeout=900)
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        assert not loaded(page.read_text(encoding="utf-8")), page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def loaded(page):
    """Return what a page loads from elsewhere; what it links to is no matter."""
    tags = re.findall(r"<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*>", page)
    return [tag for tag in tags if re.search(r"(?:src|srcset|href|data)=[\"'](?:https?:)?//", tag)]


def test_what_a_page_loads_is_seen():
    assert not loaded('<a href="https://example.org">a</a><script src="_static/a.js"></script>')
    assert (
        len(loaded("<script src='//cdn.example.org/a.js'></script><img alt='' src=\"http://example.org/a.png\">")) == 2
    )
