"""What else a result can be written as: text of a page, a page in an open file, Markdown, a tab of the browser."""

import io
import re
import tempfile
import webbrowser

import hostile
import numpy as np
import pytest
import test_pages

from xembed.reports import render_markdown, render_page
from xembed.shift import rank_sum_test

KINDS = [kind for kind in test_pages.KINDS if kind not in ("no_drift", "outliers_reference")]


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    return rank_sum_test(rng.normal(size=(30, 4)), rng.normal(size=(20, 4)))


def test_the_page_as_text_is_what_is_written(result, tmp_path):
    result.report(tmp_path / "page.html")
    assert result.html() == render_page(result.to_dict()) == (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_in_an_open_file(result, tmp_path):
    page = result.html()
    for file in (io.StringIO(), io.BytesIO()):
        result.report(file)
        assert file.getvalue() == (page if isinstance(file, io.StringIO) else page.encode("utf-8"))
    with (tmp_path / "page.html").open("w", encoding="UTF8") as file:
        result.report(file)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]  # the page alone


@pytest.mark.parametrize("kind", [tempfile.NamedTemporaryFile, tempfile.SpooledTemporaryFile])
@pytest.mark.parametrize("mode", ["w+", "w+b"])
def test_a_page_in_a_file_that_wraps_another(result, kind, mode):
    with kind(mode=mode, **({} if "b" in mode else {"encoding": "utf-8", "newline": ""})) as file:
        result.report(file)
        file.seek(0)
        assert file.read() == (result.html().encode("utf-8") if "b" in mode else result.html())


def test_files_that_a_page_cannot_go_to(result, tmp_path):
    with (
        (tmp_path / "page.html").open("w", encoding="latin-1") as file,
        pytest.raises(ValueError, match=r"open as 'latin-1': open it with encoding='utf-8', or as bytes"),
    ):
        result.report(file)
    with pytest.raises(TypeError, match=r"'path' parameter of report must be a path or an open file. Got int instead"):
        result.report(3)


def test_a_result_opens_in_the_browser(result, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = result.open()
    assert opened == [page.as_uri()] and page.read_text(encoding="utf-8") == result.html()
    assert page.with_suffix(".json").exists()


def test_markdown_of_a_test(result):
    lines = result.to_markdown().splitlines()
    assert lines[0] == "# F and G" and lines[2] in ("**○ No shift found**", "**● Shift found**")
    assert lines[4].replace("\\>", ">") == result.verdict
    assert "| Number | Value | Meaning |" in lines and "| --- | ---: | --- |" in lines
    assert any(line.startswith(f"| p-value | **{result.pvalue:.2g}** |") for line in lines)
    head = lines.index("| Corpus | Texts | 5% quantile | 25% quantile | 50% quantile | 75% quantile | 95% quantile |")
    assert lines[head + 1] == "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert lines[head + 2].startswith("| F | 30 |") and lines[head + 3].startswith("| G | 20 |")


@pytest.mark.parametrize("kind", KINDS)
def test_markdown_of_hostile_texts_is_text(kind):
    text = render_markdown(hostile.infect(test_pages.make(kind).to_dict()))
    assert not re.search(r"(?<!\\)[<`]", text)
    for block in text.split("\n\n"):
        if not block.startswith("| "):
            continue
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1 and len(block.splitlines()) >= 2, block[:200]


def test_markdown_of_several_results(result):
    from xembed.reports._write import combine

    text = render_markdown(combine([result, test_pages.make("many")], title="Two *results*"))
    assert text.startswith(r"# Two \*results\*")
    assert re.findall(r"^#+ (?:F and G|3 corpora)$", text, re.MULTILINE) == ["## F and G", "## 3 corpora"]
    assert "| 1 · rank-sum test of depths F and G |" in text
