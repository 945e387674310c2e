"""Run the benchmark by the published recipe and write its page."""

import argparse
from pathlib import Path

from geco_reference.benchmark import ReferenceBenchmark
from xembed.datasets import load_geco, load_gendered_pairs

parser = argparse.ArgumentParser(prog="python -m geco_reference", description=__doc__)
parser.add_argument("--geco", type=Path, help="folder of the official GECO files; default: the bundled sentences")
parser.add_argument("--variant", default="binary_gender_all", help="variant of GECO")
parser.add_argument("--model", help="pretrained model: a folder or a hub id; default: all-MiniLM-L6-v2")
parser.add_argument("--profile", default="quick", choices=("quick", "full"))
parser.add_argument("--out", type=Path, default=Path("geco-reference.html"), help="the page")
arguments = parser.parse_args()
if arguments.geco is None:
    data = load_gendered_pairs(split="train"), load_gendered_pairs(split="test")
else:
    data = tuple(load_geco(arguments.geco, arguments.variant, split) for split in ("train", "test"))
benchmark = ReferenceBenchmark(data, backbone=arguments.model, profile=arguments.profile)
benchmark.run(arguments.out.with_name(f"{arguments.out.stem}-run")).report(arguments.out)
