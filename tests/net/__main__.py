"""A net under changes of the code: run every public analysis on small fixed inputs, and compare the numbers.

    python tests/net record FILE.json.gz [--only GLOB]
    python tests/net compare FILE.json.gz [OTHER.json.gz] [--only GLOB] [--tolerance 1e-12] [--numbers-only]
    python tests/net --list [--only GLOB]

`compare` runs the cases again, or takes another recording, and ends with 1 if anything differs.
"""

import argparse
import fnmatch
import os
import sys
import tempfile
from pathlib import Path

# Sums depend on how many threads share them. Before numpy and torch are loaded.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}

import net_cases  # noqa: E402
import net_compare  # noqa: E402
import net_record  # noqa: E402


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python tests/net", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record", help="run the cases and write what they give")
    record.add_argument("file", type=Path)
    compare = commands.add_parser("compare", help="run the cases and compare with a recording")
    compare.add_argument("file", type=Path)
    compare.add_argument("other", type=Path, nargs="?", help="another recording, in place of running the cases")
    compare.add_argument(
        "--tolerance", type=float, default=1e-12, help="largest |old - new| / max(1, |old|, |new|) (default: 1e-12)"
    )
    compare.add_argument("--numbers-only", action="store_true", help="ignore texts and names of schemas")
    compare.add_argument("--rows", type=int, default=20, help="most rows printed of a case (default: 20)")
    listing = commands.add_parser("list", help="print the names of the cases")
    for command in (record, compare, listing):
        command.add_argument("--only", metavar="GLOB", action="append", help="such as 'shift.*'; may be repeated")
    return parser.parse_args(arguments)


def main():
    options = parse(["list" if word == "--list" else word for word in sys.argv[1:]])
    chosen = [
        name
        for name in net_cases.CASES
        if not options.only or any(fnmatch.fnmatch(name, glob) for glob in options.only)
    ]
    if not chosen:
        sys.exit(f"No case is like {options.only}.")
    if options.command == "list":
        print("\n".join(chosen))
        return 0
    other = getattr(options, "other", None)
    if other is not None:
        found = net_record.read(other)
    else:
        with tempfile.TemporaryDirectory(prefix="net-") as folder:
            found = net_record.run_all(chosen, Path(folder))
    if options.command == "record":
        net_record.write(found, options.file)
        return 0
    return net_compare.report(
        net_record.read(options.file),
        found,
        chosen,
        tolerance=options.tolerance,
        numbers_only=options.numbers_only,
        n_rows=options.rows,
    )


if __name__ == "__main__":
    sys.exit(main())
