"""Documentation against what it documents."""

import dataclasses
import re
from pathlib import Path

from xembed._core.schemas import result_classes

ROOT = Path(__file__).resolve().parents[1]


def test_every_field_of_the_json_is_documented():
    text = (ROOT / "docs" / "schemas.md").read_text(encoding="utf-8")
    for result in result_classes().values():
        section = text.split(f"## `{result.schema}`")[1].split("\n## ")[0]
        documented = {name for line in section.splitlines() if line.startswith("| `")
                      for name in re.findall(r"`(\w+)`", line.split("|")[1])}  # fmt: skip
        assert documented == {field.name for field in dataclasses.fields(result)}


def test_gallery_names_its_pages_and_commands():
    folder = ROOT / "reports"
    text = (folder / "README.md").read_text(encoding="utf-8")
    for page in folder.glob("*.html"):
        assert page.stat().st_size < 3_000_000
        assert f"]({page.name})" in text and f"--out reports/{page.name}" in text
