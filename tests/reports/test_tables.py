"""Tables that scripts make sortable, searchable and savable; and that nothing changes without scripts."""

import csv
import io

import numpy as np
import pytest
import test_pages
from pages import check_accessible, check_looks
from test_shift_report import until

from xembed.reports import render_page
from xembed.reports._render import Place, block_html
from xembed.reports._write import combine
from xembed.reports.kit import Table, number_columns
from xembed.shift import rank_sum_test

HEAD = ["Word", "Value", "p", "Day", "Share", "Name"]
BODY = [
    ["zebra", "1,234", "< 0.001", "2024-02-01", "12% → 3%", "-5"],
    ["äpfel", "−0.3", "0.001", "2023-12-31", "9% → 4%", "=1+1"],
    ["Apple", "+0.12", "1.2e-05", "2024-01-15", "100% → 5%", "@cmd"],
    ["item 10", "–", "0.5 ✓", "2024-01-02", "0.5% → 6%", "+49 30"],
    ["item 9", "12", "–", "2024-01-03", "–", 'say "hi", you'],
]
# What each column is in ascending order, missing values last.
ASCENDING = {
    "Word": ["äpfel", "Apple", "item 9", "item 10", "zebra"],
    "Value": ["−0.3", "+0.12", "12", "1,234", "–"],
    "p": ["1.2e-05", "< 0.001", "0.001", "0.5 ✓", "–"],
    "Day": ["2023-12-31", "2024-01-02", "2024-01-03", "2024-01-15", "2024-02-01"],
    "Share": ["0.5% → 6%", "9% → 4%", "12% → 3%", "100% → 5%", "–"],
}


def page_with(*tables):
    """Return a page with tables of the page's own templates at its end."""
    rng = np.random.default_rng(0)
    page = render_page(rank_sum_test(rng.normal(size=(30, 4)), rng.normal(size=(20, 4))).to_dict())
    html = "".join(block_html(Table(number_columns(head), body, label), Place()) for head, body, label in tables)
    return page.replace("</main>", f"{html}</main>")


@pytest.fixture(scope="module")
def own_page(tmp_path_factory):
    many = [[f"name {i}", str(i * i % 29), "odd" if i % 2 else "even"] for i in range(30)]
    path = tmp_path_factory.mktemp("tables") / "tables.html"
    path.write_text(
        page_with(
            (HEAD, BODY, "../../Own <b>table</b>"),
            (["Name", "x", "Kind"], many, "Many"),
            (["a", "b"], [row[:2] for row in BODY[:2]], "Few"),
        ),
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def shift_page(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "shift.html"
    test_pages.make("shift").report(path)
    return path


def box(page, label):
    return page.locator(f"div.scroll[aria-label={label!r}]")


def column(table, k):
    return [text.strip() for text in table.locator(f"tbody tr > :nth-child({k})").all_inner_texts()]


def saved(page, button):
    """Return the rows of a CSV file that a button gives, and its name."""
    with page.expect_download() as download:
        button.click()
    content = download.value.path().read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert b"\n" not in content.replace(b"\r\n", b"")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))), download.value.suggested_filename


@pytest.mark.browser
@pytest.mark.parametrize("head", ASCENDING)
def test_headers_sort_in_both_directions_and_back(open_page, own_page, head):
    page = open_page(own_page, locale="de-DE")
    table = box(page, "../../Own <b>table</b>")
    k = HEAD.index(head) + 1
    given = column(table, k)
    header = table.locator(f"thead th:nth-child({k})")
    header.locator("button").focus()
    page.keyboard.press("Enter")
    assert column(table, k) == ASCENDING[head]
    assert header.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    there = [text for text in ASCENDING[head] if text != "–"]
    assert column(table, k) == there[::-1] + ["–"] * (5 - len(there))
    assert table.locator("[aria-sort]").count() == 1
    assert header.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert column(table, k) == given
    assert table.locator("[aria-sort]").count() == 0
    assert page.complaints == []


@pytest.mark.browser
def test_another_header_takes_over_and_rows_stay_whole(open_page, own_page):
    page = open_page(own_page)
    table = box(page, "../../Own <b>table</b>")
    table.locator("thead button").nth(0).click()
    table.locator("thead button").nth(0).click()
    table.locator("thead button").nth(1).click()
    assert [th.get_attribute("aria-sort") for th in table.locator("thead th").all()] == [
        None, "ascending", None, None, None, None,
    ]  # fmt: skip
    rows = [[cell.strip() for cell in row.split("\t")] for row in table.locator("tbody tr").all_inner_texts()]
    assert sorted(rows) == sorted(BODY)


@pytest.mark.browser
def test_search_is_there_for_many_rows_only(open_page, own_page):
    page = open_page(own_page)
    assert page.locator("main input[type=search]:visible").count() == 1
    search = page.get_by_label("Search the table “Many”")
    rows = box(page, "Many").locator("tbody tr:visible")
    status = page.locator(".saves [role=status]")
    assert status.inner_text() == "30 rows"
    search.fill("ODD name 2")
    left = sum(i % 2 and "2" in f"{i} {i * i % 29}" for i in range(30))
    until(lambda: status.inner_text() == f"{left} of 30 rows")
    assert 3 < rows.count() == left < 15
    # What is left can be sorted, and the others come back in that order.
    box(page, "Many").locator("thead button").nth(1).click()
    assert rows.count() == left
    search.fill("")
    until(lambda: status.inner_text() == "30 rows")
    numbers = [int(text) for text in column(box(page, "Many"), 2)]
    assert len(numbers) == 30 and numbers == sorted(numbers)
    search.fill("nowhere")
    until(lambda: status.inner_text() == "0 of 30 rows")
    assert rows.count() == 0
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.complaints == []


@pytest.mark.browser
def test_csv_of_a_table(open_page, own_page):
    page = open_page(own_page)
    button = page.get_by_role("button", name="CSV: download the table “../../Own <b>table</b>”")
    rows, name = saved(page, button)
    assert name == "xembed-own-b-table-b.csv"
    assert rows[0] == ["Word", "Value", "p", "p (note)", "Day", "Share", "Name"]
    assert [row[0] for row in rows[1:]] == [row[0] for row in BODY]
    assert [row[1] for row in rows[1:]] == ["1234", "-0.3", "0.12", "", "12"]
    assert [row[2] for row in rows[1:]] == ["< 0.001", "0.001", "1.2e-05", "0.5", ""]
    assert [row[3] for row in rows[1:]] == ["", "", "", "✓", ""]
    # Numbers stay numbers; what a spreadsheet would run does not start as it did.
    assert [row[6] for row in rows[1:]] == ["-5", "'=1+1", "'@cmd", "'+49 30", 'say "hi", you']
    # In the order that it has on the page.
    box(page, "../../Own <b>table</b>").locator("thead button").first.click()
    rows, _ = saved(page, button)
    assert [row[0] for row in rows[1:]] == ASCENDING["Word"]
    # And what the search leaves.
    page.get_by_label("Search the table “Many”").fill("name 29")
    until(lambda: page.locator(".saves [role=status]").inner_text() == "1 of 30 rows")
    rows, _ = saved(page, page.get_by_role("button", name="CSV: download the table “Many”"))
    assert rows == [["Name", "x", "Kind"], ["name 29", "0", "odd"]]
    assert page.complaints == []


@pytest.mark.browser
def test_nothing_changes_without_scripts_or_for_two_rows(open_page, own_page):
    page = open_page(own_page)
    assert box(page, "Few").locator("button").count() == 0
    assert page.get_by_role("button", name="“Few”").count() == 0
    assert page.locator("table.how button").count() == 0
    page = open_page(own_page, java_script_enabled=False)
    assert page.locator("table button:visible, .saves").count() == 0
    assert page.locator("#json").is_hidden()


@pytest.mark.browser
def test_regions_move_with_what_is_folded_below_them(open_page, shift_page):
    page = open_page(shift_page)
    summary = page.locator("#what-shifted details.rest > summary")
    assert page.locator("#what-shifted details.rest .saves").count() == 0  # not before it is opened
    summary.click()
    until(lambda: page.locator("#what-shifted details.rest .saves").count() == 1)
    table = page.locator("#what-shifted details.rest table")

    def pairs():
        bodies = table.locator("tbody").all()
        return [(body.locator("tr").first.inner_text(), body.locator("tr.more").inner_text()) for body in bodies]

    given = pairs()
    table.locator("thead th").last.locator("button").click()
    table.locator("thead th").last.locator("button").click()
    q = [float(text) for text in table.locator("tbody tr:first-child td:last-child").all_inner_texts()]
    assert q == sorted(q, reverse=True) and len(set(q)) > 1
    assert sorted(pairs()) == sorted(given) and pairs() != given
    rows, _ = saved(page, page.get_by_role("button", name="regions that changed by no more"))
    assert len(rows) == len(given) + 1 and rows[0][0] == "Region" and rows[0][3:5] == [
        "Log odds, 95% interval", "Log odds, 95% interval (note)",
    ]  # fmt: skip
    assert all(float(row[3]) is not None and row[4].startswith("(") for row in rows[1:])


@pytest.mark.browser
def test_every_button_has_a_name_of_its_own(open_page, shift_page, tmp_path):
    data = combine([test_pages.make("rank_sum"), test_pages.make("terms"), test_pages.make("terms")])
    (tmp_path / "combined.html").write_text(render_page(data), encoding="utf-8")
    for path in (shift_page, tmp_path / "combined.html"):
        page = open_page(path)
        page.evaluate("for (const details of document.querySelectorAll('main details')) details.open = true")
        page.wait_for_timeout(300)
        names = page.eval_on_selector_all(".saves button, .saves input", "all => all.map((x) => x.ariaLabel)")
        assert len(names) > 5 and len(set(names)) == len(names)
        assert page.locator("main table table, table.summary button, #rows .sort, .how button").count() == 0
        check_accessible(page)
        page.emulate_media(media="print")
        assert page.locator(".saves:visible").count() == 0
        page.emulate_media(media="screen")
        check_looks(page)


@pytest.mark.browser
def test_tables_of_scripts_are_sorted_too(open_page, tmp_path):
    import test_explanation_pages as explanations

    explanations.MAKERS["attributions"]().report(tmp_path / "page.html")
    page = open_page(tmp_path / "page.html")
    told = page.locator("#told-list > details").first
    told.locator("details.numbers > summary").click()
    button = told.locator("details.numbers thead button").nth(1)
    button.click()
    values = [float(text.replace("−", "-")) for text in told.locator(".numbers td").all_inner_texts()]
    assert len(values) >= 3 and values == sorted(values)
    assert page.complaints == []
