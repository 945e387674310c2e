"""Pages of texts that try to break them, one for each kind of report: they say them, and nothing else happens."""

import dataclasses
import re

import hostile
import pytest
from pages import check_accessible, section

from xembed._core.schemas import result_classes
from xembed.reports.kit import short_names

pytestmark = pytest.mark.slow  # as a whole: it takes many seconds

# Everything on a page that could run, load or lead somewhere; of scripts there are the page's own and its data.
DANGERS = """() => {
  const found = [];
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes)
      if (name.startsWith("on") || (/^(href|src|action|formaction|xlink:href|data)$/.test(name)
          && !/^(#|data:image\\/png;base64,)/.test(value.trim())))  // cells of a heat map are a picture
        found.push(`${element.tagName} ${name}=${value.slice(0, 80)}`);
    if (/^(img|iframe|object|embed|base|link|form|audio|video|textarea|foreignobject)$/i.test(element.tagName))
      found.push(element.tagName);
  }
  for (const link of document.querySelectorAll(".plot a")) found.push(link.outerHTML.slice(0, 80));
  for (const script of document.querySelectorAll("script"))
    if (script.src || (!script.type && script.parentNode !== document.head && script.parentNode !== document.body))
      found.push(script.outerHTML.slice(0, 80));
  const own = [...document.querySelectorAll("script:not([type])")].length;
  if (own > 2) found.push(`${own} scripts`);
  if (document.querySelectorAll("meta[http-equiv]").length !== 1) found.push("meta");
  if (document.querySelectorAll("title").length !== 1) found.push("title");
  return found;
}"""


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    """Return a function that writes a hostile page once."""
    folder = tmp_path_factory.mktemp("hostile")

    def write(kind):
        path = folder / f"{kind}.html"
        if not path.exists():
            path.write_text(hostile.html_of(kind), encoding="utf-8")
        return path

    return write


def test_every_kind_of_report_has_a_hostile_page():
    combined = hostile.data_of("combined")
    schemas = {part["schema"] for part in combined["parts"]} | {
        hostile.data_of(kind)["schema"] for kind in hostile.PAGES
    }
    assert {schema for schema, kind in result_classes().items() if kind.page is not None} <= schemas


@pytest.mark.parametrize("kind", hostile.PAGES)
def test_the_source_holds_no_markup_of_texts(hostile_page, kind):
    page = hostile_page(kind).read_text(encoding="utf-8")
    for text in hostile.STRINGS:
        if "<" in text:
            assert text not in page
    assert page.count("<script") == page.count("</script>")
    assert page.count("<base") == 0 and "49{%" not in page
    for sentence in re.findall(r"<h1.*?</h1>|<p class=.verdict.*?</p>|<figcaption.*?</figcaption>", page, re.DOTALL):
        assert "\u202e" not in sentence and "\u2066" not in sentence  # nothing turns the rest of a line around
    said = section(page)
    assert any(" ".join(text.split()) in said for text in hostile.STRINGS if "window.hacked" in text) or "</b>" in said


@pytest.mark.browser
@pytest.mark.parametrize("kind", hostile.PAGES)
def test_hostile_texts_are_only_read(open_page, hostile_page, kind):
    """Wide and light, then narrow and dark with all open, in one page: drawn, whole, accessible, and nothing ran."""
    page = open_page(hostile_page(kind))
    assert page.locator(".plot").count() == page.locator(".plot > .plot-container").count()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    check_accessible(page)
    page.locator("#theme").click()
    page.set_viewport_size({"width": 360, "height": 800})
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    check_accessible(page)
    said = page.locator("body").inner_text()
    assert any(text in said for text in hostile.STRINGS if "window.hacked" in text) or "</b>" in said
    labels = page.locator(".plot text").evaluate_all("all => all.map((one) => one.textContent)")
    assert [one for one in labels if re.search("&quot;|&#(x27|39);", one)] == []  # escaped twice
    assert page.evaluate(DANGERS) == []
    assert page.evaluate("[window.hacked, ({}).hacked]") == [None, None]
    assert page.complaints == []


def test_names_are_short_whole_and_told_apart():
    first = "a" * 59 + "…"
    assert short_names(["a" * 100, "a" * 99, "x\u202ey"]) == (first, f"{first} (2)", "x y")
    assert short_names(["\u0628"]) == ("\u2068\u0628\u2069",)
    assert short_names(["F", "G"]) == ("F", "G")


def test_halves_of_characters_are_written_and_read_back(tmp_path):
    """Texts with them are refused where they come in; names are not looked at until they are written."""
    result = dataclasses.replace(hostile.corpora.make("coverage"), names=("a\ud800", "b"))
    result.report(tmp_path / "page.html")
    assert type(result).from_json(tmp_path / "page.json").names == result.names
    assert "\ufffd" not in (tmp_path / "page.html").read_text(encoding="utf-8")
