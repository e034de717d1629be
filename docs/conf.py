"""Configuration of the site."""

import gc
import logging
import os
import platform
import subprocess
import sys
import warnings
from importlib.metadata import version as version_of
from pathlib import Path
from urllib.parse import urlparse

from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "_ext")]
# To look for garbage would take a third of the time of a build.
gc.disable()

# A warning of Python in code that the site shows, or under it, is an error.
warnings.filterwarnings(
    "error", module=r"__main__|<string>|label_smoothing|matplotlib|torch"
)


def commit() -> str:
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return git.stdout.strip() or "unknown"


project = "label_smoothing"
author = "The label_smoothing authors"
copyright = f"2026, {author}"
version = release = version_of("label-smoothing")
language = "en"

extensions = [
    "myst_nb",
    "sphinx_gallery.gen_gallery",
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_codeautolink",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "sphinxext.opengraph",
    "notfound.extension",
    "presentation",
    "verified",
]
exclude_patterns = ["_build", "_ext", "_static", "measured", "auto_examples/**.ipynb"]
nitpicky = True

# The modules whose names a number of a page may be computed with.
verified_names = ["label_smoothing", "label_smoothing.example", "measured.results"]

# Where the site lives: the host says. Without one, no page has an address to name.
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL") or os.environ.get(
    "SITE_URL", ""
)
ogp_site_url = html_baseurl
ogp_social_cards = {
    "enable": bool(html_baseurl),
    "line_color": "#be0eaf",
    "font": "DejaVu Sans",
}
if html_baseurl:
    extensions.append("sphinx_sitemap")
    sitemap_url_scheme = "{link}"
notfound_urls_prefix = urlparse(html_baseurl).path or "/"

html_theme = "furo"
html_title = "label_smoothing"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_scaled_image_link = False
html_show_sourcelink = False
html_search_scorer = str(HERE / "search_scorer.js")
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {
        "color-brand-primary": "#0b1f66",
        "color-brand-content": "#0b3fa8",
        "color-brand-visited": "#0b3fa8",
        "color-code-background": "#f4f6f9",
        "font-stack": "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
    },
    "dark_css_variables": {
        "color-brand-primary": "#9db4ff",
        "color-brand-content": "#9db4ff",
        "color-brand-visited": "#9db4ff",
        "color-code-background": "#1d2025",
    },
}
html_context = {
    "verified": f"torch {version_of('torch')}, Python {platform.python_version()}, "
    f"commit {commit()}"
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

myst_enable_extensions = [
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
]
myst_heading_anchors = 3
nb_execution_mode = "inline"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_output_stderr = "warn"

# No ELLIPSIS, no tolerance: what is printed is the claim.
doctest_default_flags = 0

napoleon_google_docstring = False
napoleon_preprocess_types = True
napoleon_use_rtype = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"

# Small inventories in the repository: the same pages, links and warnings offline.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", "inventories/python.inv"),
    "torch": ("https://docs.pytorch.org/docs/stable", "inventories/torch.inv"),
    "matplotlib": ("https://matplotlib.org/stable", "inventories/matplotlib.inv"),
}

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "alpha"
bibtex_reference_style = "label"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
# Code, but no output.
copybutton_selector = ", ".join(
    f"div.highlight-{language} pre"
    for language in ("console", "default", "ipython3", "python", "Python")
)

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("presentation.drawings.save_figures",),
    "reset_modules": ("matplotlib", "presentation.drawings.reset_torch"),
    "capture_repr": (),
    "backreferences_dir": "auto_examples/backreferences",
    "doc_module": ("label_smoothing",),
    "remove_config_comments": True,
    "write_computation_times": False,
    "min_reported_time": 1_000_000,
    "show_signature": False,
    "download_all_examples": False,
}


class Deprecated(logging.Handler):
    """Warns of what is deprecated; an extension may say so at a level that none sees."""

    def emit(self, record: logging.LogRecord) -> None:
        """Repeat a message as a warning."""
        if record.levelno < logging.WARNING and "deprecated" in record.getMessage():
            getLogger(__name__).warning(record.getMessage())


def leave_in_memory(app: Sphinx, *_: object) -> None:
    """Keep what there is for good; collect garbage only in what is no build of pages."""
    gc.freeze()
    if app.builder.format != "html":
        gc.enable()


def setup(app: Sphinx) -> None:
    """Register what is done before and after all else."""
    logging.getLogger("sphinx").addHandler(Deprecated())
    app.connect("builder-inited", leave_in_memory, priority=0)
    app.connect("build-finished", leave_in_memory, priority=999)
