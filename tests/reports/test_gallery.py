"""The pages of the gallery as people get them: whole, silent, drawn, printable, and readable without scripts."""

import re
from pathlib import Path

import pytest
from pages import check_looks, figures_cut_on_paper

FOLDER = Path(__file__).resolve().parents[2] / "reports"
PAGES = sorted(FOLDER.glob("*.html"))
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def test_the_gallery_is_what_its_table_and_the_readme_list():
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| \[(\w+\.html)\]", table, re.MULTILINE)) == {path.name for path in PAGES}
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    for path in PAGES:
        picture = f'<a href="reports/{path.name}"><img src="docs/images/{path.stem}.png"'
        assert re.search(rf'{re.escape(picture)}[^>]* alt="[^"]{{20,}}"', readme)
        assert path.stat().st_size < 3_000_000


@every_page
def test_thumbnails_are_small_pictures(path):
    picture = (FOLDER.parent / "docs" / "images" / f"{path.stem}.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) < 60_000
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (600, 400)


@pytest.mark.browser
@every_page
def test_wide_and_narrow_light_and_dark(open_page, path):
    page = open_page(path)
    assert page.locator(".verdict").first.inner_text() and page.locator(".plot").count() > 0
    check_looks(page)  # light and wide, dark and narrow
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator(".plot > .plot-container").count() == page.locator(".plot").count()
    page.locator("#theme").click()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    for box in map(lambda plot: plot.bounding_box(), page.locator(".plot .main-svg").all()):
        assert box["width"] > 250 and box["height"] > 150
    assert page.complaints == []


@pytest.mark.browser
@every_page
def test_every_figure_is_whole_on_paper(open_page, path):
    page = open_page(path, scheme="dark")
    widths = "plots => plots.map((plot) => Number(plot.querySelector('.main-svg').getAttribute('width')))"
    before = page.locator(".plot").evaluate_all(widths)
    figures, cut = figures_cut_on_paper(page)
    assert figures > 0 and cut == []
    page.wait_for_timeout(200)
    assert page.locator(".plot").evaluate_all(widths) == before  # the screen gets back what it had
    assert page.complaints == []


@pytest.mark.browser
@every_page
def test_numbers_are_there_without_scripts(open_page, path):
    page = open_page(path, java_script_enabled=False)
    assert len(page.locator(".verdict").first.inner_text()) > 30
    assert all(re.search(r"\w", card) for card in page.locator(".cards dd strong").all_inner_texts())
    figures = page.locator("figure:has(.plot)")
    assert figures.count() > 0
    for figure in figures.all():
        assert len(figure.locator("figcaption").inner_text()) > 20
        tables = figure.locator("details")
        if tables.count():
            tables.last.locator("summary").first.click()
            assert len(re.findall(r"\d", tables.last.locator("table").inner_text())) > 5
        else:
            assert re.search("its numbers are in", figure.inner_text())
    assert page.complaints == []
