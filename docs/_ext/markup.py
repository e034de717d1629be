"""What other extensions write, as valid HTML that a screen reader can follow.

A page asks only for the style sheets and the scripts that it has a use for.
"""

import re

REPLACED = {
    # The items of a list have this role; the other one is deprecated.
    'role="doc-biblioentry"': 'role="listitem"',
    # It stands on each page of the gallery as often as there are sections, and is empty.
    "<div id='sg-tag-list' class='sphx-glr-tag-list'></div>": "",
    'thumbcontainer" tooltip=': 'thumbcontainer" title=',
}
# What stands in the body of each page that has a use for the file.
USED = {
    "mystnb.": 'class="cell',
    "sg_gallery.css": "sphx-glr-",
    "sg_gallery-": "sphx-glr-binder",
    "sg-tags.js": "sphx-glr-tag",
    "sphinx-design.": "sd-",
    "design-tabs.js": "sd-tab-",
    "copybutton": "<pre>",
    "clipboard.": "<pre>",
}
CODE = re.compile("<pre>.*?</pre>", re.DOTALL)


def used(file, body):
    name = str(file).rpartition("/")[2]
    marks = [mark for start, mark in USED.items() if name.startswith(start)]
    return all(mark in body for mark in marks)


def mend(app, page, template, context, doctree):
    body = context.get("body", "")
    for written, valid in REPLACED.items():
        body = body.replace(written, valid)
    for kind in ("css_files", "script_files"):
        context[kind] = [file for file in context[kind] if used(file.filename, body)]
    # Code has phrases, no blocks: viewcode puts each definition into one.
    context["body"] = CODE.sub(lambda pre: re.sub(r"(</?)div\b", r"\1span", pre[0]), body)


def setup(app):
    app.connect("html-page-context", mend, priority=900)  # once all have asked
    return {"parallel_read_safe": True, "parallel_write_safe": True}
