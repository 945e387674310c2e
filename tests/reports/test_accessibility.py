"""Pages under axe-core: no violation that it calls serious or critical, in both themes; and pages by keyboard alone.

Hostile pages are examined in test_hostile.py.
"""

from pathlib import Path

import pytest
from pages import check_accessible, violations

PAGES = sorted((Path(__file__).resolve().parents[2] / "reports").glob("*.html"))
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


@pytest.mark.browser
@every_page
def test_wide_and_light_then_narrow_and_dark_with_all_open(open_page, path):
    page = open_page(path)
    check_accessible(page)
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    page.locator("#theme").click()
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_timeout(200)
    check_accessible(page)
    assert page.complaints == []


@pytest.mark.browser
def test_what_is_wrong_is_found(open_page):
    """The check above can fail: axe-core runs under the page's policy and sees colors and names."""
    page = open_page(PAGES[0])
    page.evaluate("""() => {
      document.querySelector(".verdict").style.color = "#cccccc";
      document.querySelector("main").append(document.createElement("button"));
    }""")
    found = {rule: impact for impact, rule, _ in violations(page)}
    assert found["color-contrast"] == "serious" and found["button-name"] == "critical"
    with pytest.raises(AssertionError, match="color-contrast"):
        check_accessible(page)


@pytest.mark.browser
@pytest.mark.parametrize("path", PAGES[::3], ids=lambda path: path.stem)
def test_the_keyboard_reaches_the_report(open_page, path):
    """The first stop leads past the heading; every stop of the next ones has a name and a ring around it."""
    page = open_page(path)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    for _ in range(12):
        page.keyboard.press("Tab")
        stop = page.evaluate("""() => {
          const element = document.activeElement, style = getComputedStyle(element);
          const name = element.getAttribute("aria-label") || element.textContent || element.placeholder;
          return [element.tagName, name.trim(), style.outlineStyle, parseFloat(style.outlineWidth)];
        }""")
        assert stop[0] == "BODY" or (stop[1] and stop[2] != "none" and stop[3] >= 2), stop
