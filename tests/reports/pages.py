"""What tests read off a page, and what every page has to be."""

import base64
import json
import re
import time
import zlib
from functools import cache
from html.parser import HTMLParser
from importlib import resources

import numpy as np


def check_looks(page):
    """Wide, in the other theme, then narrow with all open: all figures are there, nothing is wrong or sticks out."""
    figures = page.locator(".plot").count()
    assert page.locator(".plot > .plot-container").count() == figures
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
    page.set_viewport_size({"width": 360, "height": 800})
    for details in page.locator("main details:visible > summary").all():
        if details.is_visible():
            details.click()
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("window.hacked") is None
    assert page.complaints == []


@cache
def _axe():
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def violations(page):
    """Return what axe-core finds wrong with the page as it stands: impact, rule and where."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_axe())  # by the debugger, which the page's policy does not bind
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [
        (one["impact"], one["id"], [f"{node['target']} {node['failureSummary']}" for node in one["nodes"][:3]])
        for one in found
    ]


def check_accessible(page):
    """No violation that axe-core calls serious or critical."""
    found = [one for one in violations(page) if one[0] in ("serious", "critical")]
    assert not found, found


# A speck in the first and in the last corner of each figure, of a color that tells the figure.
_SPECKS = """() => addEventListener("beforeprint", () => {
  document.querySelectorAll(".plot").forEach((plot, i) => {
    const svg = plot.querySelector(".main-svg");
    for (const last of [0, 1]) {
      const speck = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const place = { x: last * (svg.getAttribute("width") - 3), y: last * (svg.getAttribute("height") - 3) };
      for (const [key, value] of Object.entries({ ...place, width: 3, height: 3 })) speck.setAttribute(key, value);
      speck.style.fill = `rgb(${200 + last}, ${i + 1}, 77)`;
      svg.append(speck);
    }
  });
})"""


def figures_cut_on_paper(page):
    """Print a page as PDF; return the number of its figures, and which of them are not whole on paper."""
    page.evaluate(_SPECKS)
    pdf, drawn = page.pdf(format="A4"), b""
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            drawn += zlib.decompress(stream)
        except zlib.error:  # a font or a picture
            continue
    inks = {tuple(round(255 * float(x)) for x in ink) for ink in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) rg", drawn)}
    names = page.locator(".plot").evaluate_all("plots => plots.map((plot) => plot.id)")
    return len(names), [name for i, name in enumerate(names, 1) if not {(200, i, 77), (201, i, 77)} <= inks]


def until(condition, seconds=10):
    """Wait for a condition. (Playwright's own waiting evaluates strings, which the page's policy forbids.)"""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


class _Text(HTMLParser):
    """What a reader sees of a page without scripts."""

    def __init__(self):
        super().__init__()
        self.parts, self.silent = [], 0

    def handle_starttag(self, tag, attributes):
        self.silent += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.silent -= tag in ("script", "style")
        if tag not in ("b", "bdi", "span", "a"):  # blocks and cells stand apart
            self.parts.append(" ")

    def handle_data(self, data):
        if not self.silent:
            self.parts.append(data)


def section(page, id_=None):
    """Return the visible text of a page, or of one of its sections, with white space made one."""
    if id_ is not None:
        page = re.search(rf'<section[^>]* id="{id_}".*?</section>|<section id="{id_}".*?</section>', page, re.DOTALL)[0]
    reader = _Text()
    reader.feed(page)
    return " ".join("".join(reader.parts).split())


def rows_of(page, id_):
    """Return the texts of the table rows in a section."""
    body = re.search(rf'<section[^>]*id="{id_}".*?</section>', page, re.DOTALL)[0]
    return [section(row) for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)]


def figure(page, id_):
    return json.loads(re.search(rf'id="{id_}-spec">(.*?)</script>', page)[1])


def numbers(values):
    """Return numbers of a figure, which are a list or packed."""
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]) if isinstance(values, dict) else values
