"""How fast a page of many texts is in Chromium, against plotly.js alone in the same run. Run with ``make bench``."""

import json
import statistics
import time

import numpy as np
import pytest

from xembed.reports import render_page
from xembed.shift import compare_corpora

pytestmark = pytest.mark.browser
_ROUNDS = 3

# From the event of a lasso to the table, to the first frame after it, and to the figures with their dots faded.
_LASSO = """async () => {
  const plot = document.getElementById("map");
  const positions = plot.data.filter((trace) => trace.customdata)
    .flatMap((trace) => Array.from(trace.customdata._inputArray || trace.customdata));
  const points = positions.filter((_, k) => k % 2).map((customdata) => ({ customdata }));
  const count = () => document.getElementById("count").textContent;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const before = count();
  const start = performance.now();
  plot.emit("plotly_selected", { points });
  while (count() === before) await frame();
  const table = performance.now() - start;
  await frame();
  const painted = performance.now() - start;
  while (!plot.data[0].selectedpoints) await new Promise((done) => setTimeout(done, 1));
  await frame();
  return { table, painted, faded: performance.now() - start, left: count() };
}"""


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """Return a function that makes the page of ``n`` texts, of about 140 characters."""

    def make(n):
        rng = np.random.default_rng(0)
        words = np.array(
            [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("", "ra", "ten", "lo", "ish")]
        )
        weights = 1 / np.arange(1, len(words) + 1)
        lines = rng.choice(words, (n, 36), p=weights / weights.sum())
        texts = [f"{i} {' '.join(line[: rng.integers(20, 37)])}" for i, line in enumerate(lines)]
        X = rng.normal(0.8, 1.0, (n, 16)) + 3 * rng.integers(0, 2, (n, 1)) * np.eye(16)[0]
        half = n // 2
        data = compare_corpora(X[:half], X[half:], texts=(texts[:half], texts[half:]), mode="fast").to_dict()
        path = tmp_path_factory.mktemp("page") / f"{n}.html"
        path.write_text(render_page(data), encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Return a page of nothing but the full plotly.js and 100,000 dots drawn by WebGL, without hover."""
    import plotly.graph_objects as go
    from plotly.offline import get_plotlyjs

    points = np.random.default_rng(0).normal(size=(2, 100_000)).astype(np.float32)
    figure = json.loads(go.Figure(go.Scattergl(x=points[0], y=points[1], mode="markers", hoverinfo="none")).to_json())
    figure["layout"].pop("template", None)
    path = tmp_path_factory.mktemp("bare") / "bare.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><div id=plot></div><script>{get_plotlyjs()}</script><script>"
        f"const figure = {json.dumps(figure)};"
        "Plotly.newPlot('plot', figure.data, figure.layout)"
        ".then(() => { document.documentElement.dataset.ready = 'yes'; });"
        "</script>",
        encoding="utf-8",
    )
    return path


def seconds_until_ready(browser, path):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=yes]", timeout=120_000)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    spent = time.perf_counter() - start
    context.close()
    return spent


def test_page_of_100_000_texts_against_plotly_alone(benchmark, browser, page_of, bare):
    """Time until one can use the page, over that of a bare page with as many dots; medians of alternate runs."""
    path = page_of(100_000)
    pairs = [(seconds_until_ready(browser, bare), seconds_until_ready(browser, path)) for _ in range(_ROUNDS)]
    floor, ours = map(statistics.median, zip(*pairs, strict=True))
    benchmark.extra_info["ratio"] = ours / floor
    print(
        f"\npage of 100,000 texts ({path.stat().st_size / 1e6:.2f} MB): ready in {ours:.2f} s, {ours / floor:.2f} "
        f"times a bare page with plotly.js and as many dots ({bare.stat().st_size / 1e6:.2f} MB, {floor:.2f} s)"
    )
    assert ours <= 1.5 * floor
    benchmark.pedantic(seconds_until_ready, [browser, path], rounds=1)


def test_lasso_to_filtered_table(benchmark, browser, page_of):
    """Milliseconds from the event of a lasso to the table, with 10,000 texts."""
    path = page_of(10_000)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready=yes]", timeout=120_000)
    runs = []
    for _ in range(_ROUNDS):
        runs.append(page.evaluate(_LASSO))
        page.locator("#clear").click()
        page.wait_for_timeout(1500)
    table, painted, faded = (statistics.median(run[key] for run in runs) for key in ("table", "painted", "faded"))
    print(
        f"\nlasso of {runs[0]['left']}: table in {table:.0f} ms, seen by {painted:.0f} ms, dots faded by {faded:.0f} ms"
    )
    assert painted < 300
    benchmark.extra_info.update(table=table, painted=painted, faded=faded)
    benchmark.pedantic(page.evaluate, [_LASSO], rounds=1)
    context.close()
