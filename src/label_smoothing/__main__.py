"""The command ``label-smoothing``, or ``python -m label_smoothing``.

Without arguments it runs both losses on the running example and prints the same number
twice. ``audit`` says what a loss of yours trains on.
"""

import io
import json
import sys
from collections.abc import Sequence

from label_smoothing import LabelSmoothing, LabelSmoothingLoss
from label_smoothing.auditing.command import AuditError, audit, parse
from label_smoothing.example import logits, smoothing, target


def main(words: Sequence[str] | None = None) -> int:
    """Run the command, by default with the words of the command line.

    Return its exit status: one if the audit finds something suspicious, two for an error.
    """
    words = sys.argv[1:] if words is None else words
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name may be ε, in any code
    try:
        given = parse(words)
        if given.command:
            return audit(given, words)
    except AuditError as error:
        if "--json" in words:
            print(json.dumps({"error": str(error)}))
        else:
            print(f"label-smoothing: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130  # as shells have it
    print(LabelSmoothingLoss(smoothing)(logits, target))
    print(LabelSmoothing(smoothing)(logits, target))
    return 0


if __name__ == "__main__":
    sys.exit(main())
