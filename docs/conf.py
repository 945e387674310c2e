"""The documentation: `make docs` builds it without a network, and a warning is an error.

Tutorials are executed; their code cells, and the blocks of the other pages, are run by tests/test_docs_build.py, too.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

import xembed

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))
import generate  # noqa: E402 - it lies beside this file

# What the tutorials run in: no bars, and no request for a model, which the extra `offline` has brought.
os.environ.update(TQDM_DISABLE="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
# tqdm says in a notebook without widgets that it would be nicer with them, and where it is installed.
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"

project = "xembed"
author = "The xembed developers"
copyright = "The xembed developers, BSD-3-Clause"
version = release = xembed.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build"]
# `name` in a docstring is a link where it is the name of something.
default_role = "py:obj"
# The lists of references of docstrings name what a whole page stands on.
suppress_warnings = ["ref.footnote"]

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_timeout = 240
nb_execution_raise_on_error = True
nb_execution_show_tb = True
# What a tutorial writes to stderr is a fault of it, and would show paths of this machine.
nb_output_stderr = "remove-warn"

autosummary_generate = False  # pages of packages are written by `generate`
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
# Names of attributes are no links: many classes have a field `low`.
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False
napoleon_preprocess_types = False
toc_object_entries_show_parents = "hide"

# The works that pages of results cite, too.
bibtex_bibfiles = [str(Path(xembed.__file__).parent / "reports" / "references.bib")]
bibtex_reference_style = "author_year"

pygments_dark_style = "monokai"
html_theme = "furo"
html_title = f"xembed {release}"
html_static_path = ["_static"]
html_css_files = ["xembed.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}


def _inline_math(self: Any, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block_math(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math-block">{convert(node.astext(), display="block")}</div>\n')
    raise nodes.SkipNode


def _own_footnotes(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Give the references of each docstring names of their own: many docstrings share a page, and all begin at 1."""
    label = re.sub(r"\W+", "-", name)
    for number, line in enumerate(lines):
        lines[number] = re.sub(r"\[(\d+)\](?=_)|(?<=\.\. )\[(\d+)\]", lambda m: f"[#{label}-{m[1] or m[2]}]", line)


def _skip(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    # Fields of named tuples, whose docstrings say "Alias for field number 0", and what scikit-learn adds to estimators.
    return True if type(obj).__name__ == "_tuplegetter" or re.fullmatch(r"set_\w+_request", name) else None


def _write_pages(app: Any, config: Any) -> None:
    generate.write_package_pages(DOCS / "reference" / "generated")


def _fill_in(app: Any, name: str, source: list[str]) -> None:
    """Put what is made from the package where a page of the reference asks for it."""
    for comment, make in (("schemas", generate.schemas), ("packages", generate.table_of_packages)):
        if (mark := f"<!-- generated: {comment} -->") in source[0]:
            source[0] = source[0].replace(mark, make())


def setup(app: Any) -> dict[str, bool]:
    """Register what is above: formulas as MathML, which browsers draw by themselves."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline_math, None), block_renderers=(_block_math, None))
    app.connect("config-inited", _write_pages)
    app.connect("source-read", _fill_in)
    app.connect("autodoc-process-docstring", _own_footnotes, priority=400)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
