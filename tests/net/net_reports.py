"""Cases of xembed.reports: the numbers that a comparison finds, and that pages are made of what is given."""

import json

import net_inputs as inputs
from net_pages import read_page
from net_record import family, own_folder

import xembed

case = family("reports")


@case
def compare_results():
    F, G, texts = inputs.topics()
    shift = xembed.shift
    return {
        "measures": xembed.reports.compare_results(
            xembed.isotropy.measure(F, n_resamples=20), xembed.isotropy.measure(G, n_resamples=20)
        ),
        "shifts": xembed.reports.compare_results(
            shift.compare_corpora(F, G, texts=texts, n_resamples=99),
            shift.compare_corpora(F, G + 0.1, texts=texts, n_resamples=199, rng=1),
        ),
    }


@case
def files():
    """A page holds its data beside it, whichever way it is made."""
    F, G, _ = inputs.topics()
    folder = own_folder()
    one, two = xembed.shift.rank_sum_test(F, G), xembed.isotropy.measure(F)
    one.report(folder / "one.html")
    xembed.reports.write_combined([one, two], folder / "both.html", title="Both")
    xembed.reports.write_comparison(one, xembed.shift.rank_sum_test(F, F[::-1]), folder / "compared.html")
    xembed.reports.write_report(two, folder / "two.html")
    found = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    return found | {"read": xembed.read_result(folder / "one.json")}


LONG = ("the first corpus, whose name is far too long to stand in a table or in a legend of a figure " * 2).strip()


@case
def long_names():
    F, G, texts = inputs.topics()
    result = xembed.shift.compare_corpora(F, G, texts=texts, names=(LONG, f"{LONG}, too"), n_resamples=99)
    many = xembed.shift.compare_many({LONG: F[:40], "short": G, f"{LONG}!": F[40:]}, n_resamples=99)
    return [read_page(xembed.reports.render_page(one.to_dict())) for one in (result, many)]


@case
def shift_and_its_words():
    F, G, texts = inputs.topics()
    bag = inputs.Bag()
    result = xembed.shift.compare_corpora(*map(bag.encode, texts), texts=texts, n_resamples=99)
    words = xembed.attribution.explain_shift(
        bag, *texts, result=result, method="leave_one_out", trust=False, progress=False
    )
    page = own_folder() / "page.html"
    xembed.reports.write_combined([result, words, xembed.isotropy.measure(F), xembed.depth.find_outliers(G)], page)
    return read_page(page.read_text(encoding="utf-8"))


@case
def long_pages():
    """Pages of more than the files of the first edition hold."""
    texts = [f"{text} {inputs.SENTENCES[i % 5]} {'and so on ' * (i % 60)}" for i, text in enumerate(inputs.tickets(60))]
    bag, fit = inputs.Bag(), inputs.word_texts(seed=8)[0]
    results = [
        xembed.attribution.explain_depth(bag, texts[:30], texts, method="occlusion", progress=False),
        xembed.attribution.explain(
            bag, texts[:12], target=xembed.attribution.Similarity(texts[0]), method="occlusion", progress=False
        ),
        xembed.attribution.explain_similarity(bag, texts[59], texts[59]),
        xembed.isotropy.compare_corrections(bag, fit_texts=fit, tune=inputs.sts_pairs("tune", 3), n_resamples=20),
        xembed.isotropy.compare_corrections(
            bag, fit_texts=fit, test=[inputs.sts_pairs("one", 4), inputs.sts_pairs("two", 6)], n_resamples=20
        ),
        xembed.isotropy.layer_profile(inputs.tiny_encoder(), fit[:30], n_resamples=20, metrics="all"),
    ]
    return [read_page(xembed.reports.render_page(one.to_dict())) for one in results]
