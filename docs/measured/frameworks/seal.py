"""The seal on what a script has printed: of its text, its output, and the versions.

It is shared with the program, where there is no Sphinx.
"""

import hashlib
import json


def digest(script, row):
    """Return what no longer fits once a character of any of the three has changed."""
    parts = [script, row["versions"], row["printed"]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
