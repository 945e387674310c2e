"""Cases of xembed.reports: the numbers that a comparison finds, and that pages are made of what is given."""

import json

import net_inputs as inputs
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
