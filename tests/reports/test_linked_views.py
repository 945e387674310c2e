"""Figures and table of texts that filter each other, and maps of more texts than dots."""

import dataclasses
import re

import numpy as np
import pytest
from pages import check_accessible, figure, numbers, rows_of, section, until

from xembed.reports import render_page, write_combined
from xembed.shift import ShiftResult, compare_corpora
from xembed.shift._pages import figures
from xembed.shift._pages.texts import Rows, _groups

NAMES = ("May tickets", "June tickets")
VOCABULARY = [a + b + c for a in ("ba", "ro", "ti", "lu", "mes", "kon", "") for b in ("ra", "ten", "lo", "ish", "ed")
              for c in ("", "ing", "s", "ly", "um", "ar", "ol")]  # fmt: skip


def texts_of(n, seed, subject=""):
    """Return texts of about 120 characters."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(VOCABULARY) + 1)
    words = rng.choice(VOCABULARY, (n, 24), p=weights / weights.sum())
    return [f"{i} {subject} {' '.join(line[: rng.integers(10, 25)])}" for i, line in enumerate(words)]


@pytest.fixture(scope="module")
def data():
    """Return 600 texts of four clusters; one cluster is of the second corpus alone, another of the first."""
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 3, (4, 12))
    parts = [rng.choice(4, 300, p=[0.4, 0.3, 0.3, 0]), rng.choice(4, 300, p=[0.4, 0.3, 0, 0.3])]
    F, G = (centers[part] + rng.normal(0, 1, (300, 12)) for part in parts)
    return compare_corpora(F, G, texts=(texts_of(300, 1, "router"), texts_of(300, 2, "bill")), names=NAMES).to_dict()


def blown_up(data, n):
    """Return the data with ``n`` texts of each corpus, without what is said of single texts or regions."""
    rng = np.random.default_rng(0)
    old = [rng.integers(0, 300, n), rng.integers(300, 600, n)]
    rows = np.concatenate(old)

    def noisy(key, size):
        values = np.asarray(data[key])[rows]
        return np.round(values + rng.normal(0, size, values.shape), 6).tolist()

    test = {**data["test"], "n_F": n, "n_G": n}
    for key, part in zip(("depths_F", "depths_G"), (old[0], old[1] - 300), strict=True):
        test[key] = np.asarray(data["test"][key])[part].tolist()
    return {
        **data, "test": test, "depths": noisy("depths", 0.01), "depths_in_F": noisy("depths_in_F", 0.01),
        "depths_in_G": noisy("depths_in_G", 0.01), "coordinates": noisy("coordinates", 0.05),
        "texts_F": texts_of(n, 1), "texts_G": texts_of(n, 2), "regions": None,
    }  # fmt: skip


@pytest.fixture(scope="module")
def page_path(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("linked") / "page.html"
    path.write_text(render_page(data), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def big_html(data):
    return render_page(blown_up(data, 50_000))


CHOSEN = """() => ["dd", "map"].map((id) => document.getElementById(id).data
  .filter((trace) => trace.customdata).map((trace) => trace.selectedpoints ? trace.selectedpoints.length : null))"""
ALL = [[None, None], [None, None]]


def count(page):
    return page.locator("#count").inner_text()


def shows(page, number, total="600"):
    """Wait until the table and both figures show as many texts."""
    until(lambda: count(page) == (f"{total} texts" if number is None else f"{number} of {total} texts"))
    if number is None:
        until(lambda: page.evaluate(CHOSEN) == ALL)
    else:
        until(lambda: [sum(x or 0 for x in one) for one in page.evaluate(CHOSEN)] == [number, number])


def corner(page, id_):
    page.locator(f"#{id_}").scroll_into_view_if_needed()
    return page.locator(f"#{id_} .nsewdrag").bounding_box()


def lasso(page, id_, points=((0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98))):
    box = corner(page, id_)
    spots = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*spots[0])
    page.mouse.down()
    for spot in [*spots[1:], spots[0]]:
        page.mouse.move(*spot, steps=4)
    page.mouse.up()


def selected(page):
    until(lambda: re.match(r"\d+ of 600", count(page)))
    number = int(count(page).split()[0])
    assert 0 < number < 600
    shows(page, number)
    return number


@pytest.mark.browser
def test_search_and_lasso_fade_dots_together(open_page, page_path):
    page = open_page(page_path)
    shows(page, None)
    assert page.locator(".left:visible").count() == 0
    page.locator("#search").fill("router")
    shows(page, 300)
    assert page.evaluate(CHOSEN) == [[300, 0], [300, 0]]  # only the first corpus is about it
    page.locator("#search").fill("no such word")
    shows(page, 0)
    assert page.evaluate(CHOSEN) == [[0, 0], [0, 0]]  # all are faded, not none
    page.locator("#search").fill("")
    shows(page, None)
    lasso(page, "map")
    around = selected(page)
    page.locator("#search").fill("router")
    until(lambda: int(count(page).split()[0]) < around)
    both = int(count(page).split()[0])
    shows(page, both)
    assert page.evaluate(CHOSEN) == [[both, 0], [both, 0]]
    assert page.locator("#dd ~ .left").inner_text().startswith(f"Not faded: {both} of 600 texts in the table")
    page.locator("#search").fill("")
    shows(page, around)  # what was drawn around stays
    page.locator("#rows th button[data-key=row]").click()
    assert count(page) == f"{around} of 600 texts"
    page.locator("#search").fill("router")
    shows(page, both)
    page.locator("#clear").click()
    shows(page, None)
    assert page.locator("#search").input_value() == ""
    assert page.locator("#clear:visible, .left:visible").count() == 0
    assert page.complaints == []


@pytest.mark.browser
def test_around_nothing_and_ways_to_show_all_again(open_page, page_path):
    page = open_page(page_path)
    lasso(page, "dd")
    number = selected(page)
    lasso(page, "dd", ((0.95, 0.97), (0.99, 0.97), (0.99, 0.99)))  # no text lies there
    page.wait_for_timeout(300)
    shows(page, number)
    page.keyboard.press("Escape")
    shows(page, None)
    for id_ in ("map", "dd"):
        page.locator("#search").fill("router")
        shows(page, 300)
        box = corner(page, id_)
        page.mouse.dblclick(box["x"] + 15, box["y"] + 15)
        shows(page, None)
        page.wait_for_timeout(400)  # the next double click is another
    lasso(page, "map")
    selected(page)
    assert page.evaluate("document.querySelectorAll('.selectionlayer path').length") == 0
    page.locator("#map ~ .left button").click()
    shows(page, None)
    assert page.evaluate("document.activeElement.id") == "search"  # not lost with the button
    assert page.complaints == []


@pytest.mark.browser
def test_regions_are_switched_by_keyboard(open_page, page_path, data):
    page = open_page(page_path)
    membership = np.asarray(data["regions"]["membership"])
    sizes = np.bincount(membership)
    changed = [i for i, region in enumerate(data["regions"]["regions"]) if region["status"] != "unchanged"]
    assert 1 <= len(changed) < len(sizes)
    switches = page.locator(".switches [aria-pressed]")
    assert switches.count() == len(changed) + 1
    assert switches.first.inner_text().startswith(data["regions"]["regions"][changed[0]]["status"])
    assert switches.last.inner_text().endswith("other texts")
    assert page.locator(".switches").evaluate("bar => bar.parentElement.querySelector('.plot').id") == "map"
    switches.first.focus()
    page.keyboard.press("Enter")
    shows(page, 600 - sizes[changed[0]])
    assert switches.first.get_attribute("aria-pressed") == "false"
    page.keyboard.press("Space")
    shows(page, None)
    assert switches.first.get_attribute("aria-pressed") == "true"
    while (more := page.get_by_role("button", name=re.compile(r"^\d+ more$"))).count():
        more.click()
    everything = page.locator(".switches .all")
    everything.click()
    shows(page, 0)
    assert everything.inner_text() == "Show all"
    switches.last.click()
    shows(page, sum(sizes[i] for i in range(len(sizes)) if i not in changed))
    # The colors stay those of the corpora.
    colors = "document.getElementById('map').data.map((trace) => trace.marker.color)"
    assert len(set(page.evaluate(colors))) == 2
    page.locator("#search").fill("router")
    until(lambda: count(page) != "600 texts" and page.evaluate(CHOSEN)[0][1] == 0)
    everything.click()
    shows(page, 300)  # the search is still on
    page.keyboard.press("Escape")
    shows(page, None)
    assert page.complaints == []


@pytest.mark.browser
def test_the_button_of_a_region_shows_its_texts(open_page, page_path, data):
    page = open_page(page_path)
    sizes = np.bincount(data["regions"]["membership"])
    assert page.locator("button[data-region]").count() == len(sizes)
    for button in (page.locator("button[data-region]").first, page.locator("button[data-region]").last):
        page.locator("#search").fill("router")
        button.evaluate("button => button.click()")
        shows(page, sizes[int(button.get_attribute("data-region"))])
        assert page.locator("#search").input_value() == ""
        assert page.evaluate("document.activeElement.id") == "clear"
    page.keyboard.press("Enter")
    shows(page, None)
    assert page.locator(".switches [aria-pressed=false]").count() == 0


@pytest.mark.browser
def test_many_regions_are_behind_a_button(open_page, data, tmp_path):
    regions = data["regions"]["regions"]
    many = [{**regions[0], "id": i, "label": f"<b>{i}</b> " + "w" * 80, "status": "more" if i < 11 else "unchanged"}
            for i in range(14)]  # fmt: skip
    membership = np.arange(600) % 14
    path = tmp_path / "many.html"
    path.write_text(
        render_page({**data, "regions": {**data["regions"], "regions": many, "membership": membership.tolist()}}),
        encoding="utf-8",
    )
    page = open_page(path, 360)
    switches = page.locator(".switches [aria-pressed]:visible")
    assert switches.count() == 8 and switches.last.inner_text().endswith("other texts")
    page.get_by_role("button", name="4 more").click()
    assert switches.count() == 12
    assert page.evaluate("document.activeElement.textContent").startswith("more: <b>7</b>")
    switches.last.click()
    shows(page, int((membership < 11).sum()))
    assert page.locator("#figures").evaluate("figures => figures.scrollWidth <= figures.clientWidth")
    assert page.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_filtered_pages_are_accessible(open_page, page_path, scheme):
    page = open_page(page_path, scheme=scheme)
    page.locator(".switches [aria-pressed]").first.click()
    page.locator("#search").fill("router")
    until(lambda: page.locator(".left:visible").count() == 2)
    check_accessible(page)
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_timeout(200)
    assert page.locator("#figures").evaluate("figures => figures.scrollWidth <= figures.clientWidth")
    assert page.complaints == []


@pytest.mark.browser
def test_parts_of_a_page_filter_themselves(open_page, data, tmp_path):
    path = tmp_path / "two.html"
    result = ShiftResult.from_dict(data)
    write_combined([result, dataclasses.replace(result, coordinates=None)], path)
    page = open_page(path)
    assert page.locator(".switches").count() == 2
    # Without a map the buttons are at the plot of depths.
    assert (
        page.locator("#part2-part .switches").evaluate("b => b.parentElement.querySelector('.plot').id") == "part2-dd"
    )
    page.locator("#part2-part .switches [aria-pressed]").first.click()
    until(lambda: " of " in page.locator("#part2-count").inner_text())
    assert page.locator("#part1-count").inner_text() == "600 texts"
    assert page.locator("#part2-part .left a").get_attribute("href") == "#part2-all"
    page.locator("#part1-search").fill("router")
    until(lambda: page.locator("#part1-count").inner_text() == "300 of 600 texts")
    page.locator("#part1-search").press("Escape")
    until(lambda: page.locator("#part1-count").inner_text() == "600 texts")
    assert " of " in page.locator("#part2-count").inner_text()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    until(lambda: page.locator("#part2-count").inner_text() == "600 texts")
    assert page.complaints == []


@pytest.mark.browser
def test_print_keeps_what_is_faded_without_buttons(open_page, page_path):
    page = open_page(page_path)
    page.locator("#search").fill("router")
    shows(page, 300)
    page.emulate_media(media="print")
    assert page.locator(".left").first.is_visible()
    assert not page.locator(".switches").is_visible() and not page.locator(".left button").first.is_visible()


def test_groups_are_changed_regions_and_the_rest():
    def region(label, status):
        return {"label": label, "status": status}

    some = [region("a", "unchanged"), region("b", "new"), region("c" * 99, "less"), region("d", "unchanged")]
    groups = _groups(some)
    assert [(group["status"], group["regions"]) for group in groups] == [("new", [1]), ("less", [2]), (None, [0, 3])]
    assert groups[1]["label"] == "c" * 59 + "…" and groups[2]["label"] == "other texts"
    assert [group["regions"] for group in _groups(some[1:3])] == [[0], [1]]  # nothing is left
    assert [group["regions"] for group in _groups([some[0], some[3]])] == [[0], [1]]  # none changed: each


def test_density_counts_every_text():
    x = np.array([0.0, 0.0, 0.0, 1.0])
    y = np.array([0.0, 0.0, 0.0, 2.0])
    density = figures._density(x, y)
    assert density["z"].dtype == np.uint8 and density["z"].shape == (64, 64)
    assert density["z"][0, 0] == 255 and density["z"][63, 63] == 128  # log 2 of log 4
    assert (density["z"] > 0).sum() == 2
    assert density["dx"] == pytest.approx(1 / 64) and density["x0"] == pytest.approx(1 / 128)
    assert density["dy"] == pytest.approx(2 / 64) and density["y0"] == pytest.approx(2 / 128)
    y = np.array([0.0, 0.0, 2.0, 2.0])  # rows of the grid go up, columns across
    assert np.flatnonzero(figures._density(np.array([0.0, 1.0, 1.0, 1.0]), y)["z"][63]).tolist() == [63]
    assert figures._density(np.full(5, 0.3), np.full(5, -1.0))["z"].max() == 255  # all in one place


def test_the_scale_of_a_density_ends_at_the_most_and_one_text_is_never_clear():
    for most in (*range(1, 200), 4321, 1_000_000):
        x = np.concatenate([np.zeros(most), [1.0]])
        shade = figures._density(x, x)["z"]
        assert shade[0, 0] == 255 and shade[63, 63] > 0


def test_small_pages_have_no_density(data):
    html = render_page(data)
    for id_ in ("dd", "map"):
        assert [trace["type"] for trace in figure(html, id_)["data"]] == ["scatter", "scatter"]
    assert "shade" not in section(html, "figures")


@pytest.mark.slow
def test_big_pages_draw_a_sample_over_a_density_of_all(big_html, data):
    big = blown_up(data, 50_000)
    rows = Rows.of(big)
    for id_, xy in (("dd", [big["depths_in_F"], big["depths_in_G"]]), ("map", np.asarray(big["coordinates"]).T)):
        spec = figure(big_html, id_)
        dots, more, shade = spec["data"]
        assert [dots["type"], more["type"], shade["type"]] == ["scatter", "scatter", "heatmap"]
        drawn = np.concatenate([numbers(dots["customdata"]), numbers(more["customdata"])])
        assert len(drawn) == len(set(drawn)) == 5000
        # The extremes of each corpus are among the dots.
        for corpus in (0, 1):
            members = np.flatnonzero(rows.corpus == corpus)
            order = members[np.argsort(rows.depths[members])]
            assert set(order[:50]) | set(order[-50:]) <= set(rows.kept[drawn])
        z = numbers(shade["z"]).reshape(64, 64)
        assert z.max() == 255 and np.count_nonzero(z) == np.count_nonzero(np.histogram2d(*xy, bins=64)[0])
        assert shade["hoverinfo"] == "skip" and shade["showscale"] is False and len(shade["z"]["bdata"]) < 6000
    assert "histogram2d" not in big_html.split('id="library"')[0]
    said = section(big_html, "figures")
    assert "Showing 5,000 of 100,000 texts: the extremes" in said
    assert "The gray shade is made from all of them" in said


def test_size_of_pages(data, big_html):
    """The texts are of about 120 characters."""
    thousand = blown_up(data, 500)
    assert 100 < np.mean([len(text) for text in thousand["texts_F"] + thousand["texts_G"]]) < 140
    assert len(render_page(thousand).encode()) < 2_200_000
    assert len(big_html.encode()) < 5_000_000
    assert len(rows_of(big_html, "extremes")) > 20


@pytest.mark.browser
def test_a_big_page_in_both_themes(open_page, big_html, tmp_path):
    path = tmp_path / "big.html"
    path.write_text(big_html, encoding="utf-8")
    page = open_page(path)
    page.on("console", lambda m: page.complaints.append(m.text))  # plotly's notes, too
    scale = "JSON.stringify(document.getElementById('map').data[2].colorscale)"
    light = page.evaluate(scale)
    assert page.locator("#map .hm image").count() == 1
    page.locator("#theme").click()
    until(lambda: page.evaluate(scale) != light)
    page.locator("#search").fill("1234 ")
    until(lambda: page.locator("#map ~ .left").is_visible())
    assert " of 10,000 texts in the table, " in page.locator("#map ~ .left").inner_text()
    page.locator("#clear").click()
    shows(page, None, "10,000")
    assert page.complaints == []


METADATA = {
    "row": list(range(1000, 1600)),
    "<b>channel</b>": [("mail", "chat", "<img src=x onerror=alert(1)>")[i % 3] for i in range(600)],
    "sent": [None if i == 5 else f"2024-03-{1 + i % 28:02d}" for i in range(600)],
}


@pytest.fixture(scope="module")
def described(data):
    """Return the texts with columns of what belongs to each."""
    halves = [{name: column[part] for name, column in METADATA.items()} for part in (slice(300), slice(300, 600))]
    return {**data, "metadata_F": halves[0], "metadata_G": halves[1]}


def test_rows_on_the_page_are_those_of_the_file(described):
    body = render_page(described)
    rows = [int(row) for row in re.findall(r">row (\d+)<", body)]
    assert rows and all(1000 <= row < 1600 for row in rows)
    outliers = body[body.index('id="extremes"') : body.index('id="all"')]  # half a page is too narrow for columns
    assert "<th" in outliers and ">sent<" not in outliers.replace("<bdi>sent</bdi>: 2024-03-", "")
    assert len(re.findall(r"<small[^>]*>.*<bdi>sent</bdi>: 2024-03-\d\d", outliers)) == 40
    assert "<img src=x" not in body and "<b>channel" not in body
    shorter = {name: column[:-1] for name, column in described["metadata_F"].items()}
    render_page({**described, "metadata_F": shorter})  # a file that someone has changed


@pytest.mark.browser
def test_columns_of_the_input_are_in_the_table_and_color_the_map(described, tmp_path, open_page):
    (tmp_path / "page.html").write_text(render_page(described), encoding="utf-8")
    page = open_page(tmp_path / "page.html")
    table = page.locator("#rows")
    assert table.locator("th").all_inner_texts()[1:4] == ["Row", "<b>channel</b>", "sent"]
    table.get_by_role("button", name="sent").click()
    first = table.locator("tbody tr").first.locator("td").all_inner_texts()
    assert first[1:4] == ["1005", METADATA["<b>channel</b>"][5], ""]
    page.locator("#search").fill("2024-03-02 mail")
    until(lambda: 0 < int(count(page).split()[0]) < 600)
    page.locator("#search").fill("")
    choice = page.get_by_label("Color by")
    assert choice.locator("option").all_inner_texts()[-3:] == ["depth", "<b>channel</b>", "sent"]
    colors = "(id) => document.getElementById(id).data.filter((t) => t.customdata).map((t) => t.marker.color)"
    plain = [page.evaluate(colors, id_) for id_ in ("dd", "map")]
    assert all(isinstance(color, str) for figure_ in plain for color in figure_)
    for option, n_colors in (("<b>channel</b>", {3}), ("sent", set(range(20, 40))), ("depth", set(range(50, 601)))):
        choice.select_option(label=option)
        for id_ in ("dd", "map"):
            painted = page.evaluate(colors, id_)
            assert [len(part) for part in painted] == [300, 300]
            assert len({color for part in painted for color in part}) in n_colors
    choice.select_option(label="corpus")
    assert [page.evaluate(colors, id_) for id_ in ("dd", "map")] == plain
    assert page.complaints == []
