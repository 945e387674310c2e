"""The works that pages cite: every entry of references.bib is read whole, and names and lists as papers do."""

import re
from importlib import resources
from pathlib import Path

import pytest

import xembed
from xembed.reports._bibliography import work, works
from xembed.reports._methods import _paragraphs
from xembed.reports.kit import method, methods_of, plain_text

PACKAGE = Path(xembed.__file__).parent

TEXT = (resources.files("xembed.reports") / "references.bib").read_text(encoding="utf-8")


def test_every_entry_is_read_in_order_and_once():
    keys = re.findall(r"^@\w+\{(.*),$", TEXT, re.MULTILINE)
    assert list(works()) == keys == sorted(set(keys))
    assert len(re.findall(r"^  title = ", TEXT, re.MULTILINE)) == len(keys)


def test_every_line_is_of_the_restricted_form():
    line = re.compile(r"%.*|@\w+\{[a-z]+\d{4}[a-z]?,|  [a-z]+ = \{[^{}]+\},|  title = \{\{[^{}]+\}\},|\}|")
    assert [text for text in TEXT.splitlines() if not line.fullmatch(text)] == []


@pytest.mark.parametrize(("key", "short", "full"), [
    ("seegmiller2023", "Seegmiller & Preum 2023", "P. Seegmiller, S. M. Preum. Statistical Depth for Ranking and "
     "Characterizing Transformer-Based Text Embeddings. EMNLP 2023."),
    ("pandolfo2018", "Pandolfo et al. 2018", "G. Pandolfo, D. Paindaveine, G. C. Porzio. Distance-based depths for "
     "directional data. Canadian Journal of Statistics 46 (2018), 593–609."),
    ("holm1979", "Holm 1979", "S. Holm. A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian Journal "
     "of Statistics 6 (1979), 65–70."),
    ("haufe2014", "Haufe et al. 2014", "S. Haufe et al. On the Interpretation of Weight Vectors of Linear Models in "
     "Multivariate Neuroimaging. NeuroImage 87 (2014), 96–110."),
    ("ethayarajh2019", "Ethayarajh 2019", "K. Ethayarajh. How Contextual are Contextualized Word Representations? "
     "EMNLP 2019."),
    ("vovk2005", "Vovk et al. 2005", "V. Vovk, A. Gammerman, G. Shafer. Algorithmic Learning in a Random World. "
     "Springer 2005."),
    ("liu2024", "Liu 2024", "X. Liu. DefSent+. arXiv:2405.16153 (2024)."),
])  # fmt: skip
def test_works_as_they_are_cited_and_listed(key, short, full):
    assert (work(key).short, work(key).full) == (short, full)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("methods.md")), ids=lambda path: path.parent.name)
def test_paragraphs_of_methods_are_used_and_cite_works_that_are_there(path):
    package = ".".join(("xembed", *path.parent.relative_to(PACKAGE).parts))
    code = "".join(file.read_text(encoding="utf-8") for file in path.parent.glob("*.py"))
    paragraphs = _paragraphs(package)
    assert len(paragraphs) == path.read_text(encoding="utf-8").count("## ")
    for name, (title, prose, cites) in paragraphs.items():
        assert f'"{name}"' in code, name
        assert title and prose.endswith((".", "}")) and "Cites" not in prose
        assert method(title, prose, *cites).text[0].text == f"{title}."


def test_gaps_are_filled_and_works_are_cited():
    found = methods_of("xembed.shift._pages")(
        "battery", "holm1979", n_tests=5, n_resamples="99", permuted="of the texts"
    )
    text = plain_text(found.text)
    assert text.startswith(
        "Tests. One test sees one kind of change, so 5 were run on the same 99 random permutations of "
    )
    assert "step-down min-p (Westfall & Young 1993) with weights" in text
    assert found.cites == ("westfall1993", "holm1979")


def test_a_key_that_is_not_there():
    with pytest.raises(ValueError, match=r"must be one of those in references.bib. Got 'smith1999': add an entry"):
        work("smith1999")
