"""The numbers of benchmark runs as Markdown tables: python docs/measurements/geco_tables.py all.json subj.json."""

import argparse

from xembed import read_result

QUALITIES = (
    ("rank of Shapley", "model_truth", "spearman"),
    ("first of Shapley", "model_truth", "top1"),
    ("comprehensiveness", "faithfulness", "comprehensiveness"),
    ("sufficiency", "faithfulness", "sufficiency"),
    ("context L1", "stability", "context_l1"),
    ("random head", "randomisation", "head"),
    ("random encoder", "randomisation", "encoder"),
)
METRICS = ("rank_accuracy", "auroc", "auprc", "pointing_game", "gini")


def interval(score):
    return f"{score['mean']:.3f} ({score['low']:.3f} to {score['high']:.3f})"


def accuracy_table(result):
    print("| scheme | accuracy | by seed | female | male | prediction gap | words used | epochs | s a training |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in result.schemes:
        score = {"mean": row.accuracy.mean, "low": row.accuracy.low, "high": row.accuracy.high}
        seeds = ", ".join(f"{value:.3f}" for value in row.accuracy_by_seed)
        forms = " | ".join(f"{row.accuracy_by_form[form]:.3f}" for form in result.classes[:2])
        print(
            f"| {row.scheme} | {interval(score)} | {seeds} | {forms} | {row.prediction_gap:.3f} | "
            f"{row.used_words:.2f} | {row.epochs} | {row.seconds:.0f} |"
        )


def board(result, cell):
    schemes = [row.scheme for row in result.schemes]
    print(f"| method | {' | '.join(schemes)} |\n|---|{'---|' * len(schemes)}")
    methods = {row.method: row.label for row in result.rows}
    for method, label in methods.items():
        rows = [result.row(scheme, method) for scheme in schemes]
        if all(row.status != "valid" for row in rows):
            print(f"| {label} | {' | '.join(row.status for row in rows)} |")
        else:
            print(f"| {label} | {' | '.join(row.status if row.status != 'valid' else cell(row) for row in rows)} |")


def qualities_table(result, scheme):
    print(f"| method | {' | '.join(name.replace('_', ' ') for name in METRICS)} | ", end="")
    print(f"{' | '.join(name for name, _, _ in QUALITIES)} | completeness error | ms a sentence |")
    print(f"|---|{'---|' * (len(METRICS) + len(QUALITIES) + 2)}")
    for row in result.rows:
        if row.scheme == scheme and row.status == "valid":
            metrics = [f"{row.metrics[name]['mean']:.2f}" for name in METRICS]
            others = [
                f"{getattr(row, group)[name]['mean']:.2f}" if name in getattr(row, group) else ""
                for _, group, name in QUALITIES
            ]
            error = "" if row.completeness is None else f"{100 * row.completeness:.1f} %"
            seconds = "" if row.seconds is None else f"{1000 * row.seconds:.0f}"
            print(f"| {row.label} | {' | '.join([*metrics, *others, error, seconds])} |")


def forms_table(result):
    def cell(row):
        found = row.form_difference
        if found is None:
            return ""
        return (
            f"{found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f}){'' if found.corrected > 0.05 else ' *'}"
        )

    board(result, cell)


def show(path):
    result = read_result(path)
    print(f"\n## {result.data}\n")
    print(f"{result.n_sentences} sentences in two forms; seeds {', '.join(map(str, result.seeds))}.\n")
    accuracy_table(result)
    print("\n### Mass accuracy\n")
    board(result, lambda row: interval(row.metrics["mass_accuracy"]))
    print("\n### Female less male, mass accuracy\n\n* p at most .05 by Holm over all methods and schemes.\n")
    forms_table(result)
    for scheme in (row.scheme for row in result.schemes):
        print(f"\n### Other measures, scheme {scheme}\n")
        qualities_table(result, scheme)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+")
    for name in parser.parse_args().results:
        show(name)
