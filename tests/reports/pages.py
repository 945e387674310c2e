"""What tests read off a page, and what every page has to be."""

import base64
import json
import re
from html.parser import HTMLParser

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
