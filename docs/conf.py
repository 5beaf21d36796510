"""Sphinx settings; `python -m sphinx -W --keep-going -b html docs OUT` builds the pages offline."""

from __future__ import annotations

import sys
from pathlib import Path

import memgen_bench

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "memgen-bench"
author = "The memgen-bench maintainers"
copyright = author  # noqa: A001 - Sphinx's name for it
release = memgen_bench.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "listings",
]
exclude_patterns = ["_build"]

# References to our own names must resolve; other projects' pages are not asked, so that the build
# needs no network.
nitpicky = True
nitpick_ignore = [("py:class", "memgen_bench.plan.suite.short_decimal")]  # a function
nitpick_ignore_regex = [(r"py:.*", r"(?!memgen_).*"), (r"py:class", r".*\.S")]  # S: a type variable

# Docstrings write code in single backticks, as Markdown does.
default_role = "code"
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
smartquotes = False  # options are shown as they are typed

copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = "memgen-bench"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_theme_options = {"navigation_with_keys": True}
