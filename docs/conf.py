"""Settings of the pages: ``make docs`` builds them, without a network, and stops at any warning."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent)]

from docs._ext import hooks, make  # noqa: E402  # the same

import gad_lightning  # noqa: E402  # the path is set above

project = "gad-lightning"
author = "the authors of gad-lightning"
project_copyright = "2026, the authors of gad-lightning. Apache-2.0"
release = version = gad_lightning.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_ext"]

make.pages()

# what is written in the pages
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline", "attrs_block"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]  # a widget of a progress bar, beside its text
nb_execution_mode = "off"  # they were run by make.pages()

smartquotes_action = "qe"  # quotes and ellipses; an option keeps its two dashes

# what is read out of the docstrings
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_custom_sections = [("Source", "notes_style")]
napoleon_use_rtype = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 100

# names of other packages, whose pages are not at hand without a network, and what only this library's code uses
nitpick_ignore_regex = hooks.OTHERS

html_theme = "furo"
html_title = "gad-lightning"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"


setup = hooks.setup
