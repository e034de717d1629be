"""What is a number, and what only looks like one: said here, for all checks.

Digits that are part of a name are no number: a version, a year, ``float32``, "Section 7".
All else with a digit is one, be it ``5``, ``.5``, ``-1e-3`` or ``2.75`` in "2.75ms".
"""

import re

DECIMAL = r"(?:\d*\.\d+(?:e[-+]?\d+)?|\d+e[-+]?\d+)"
NUMBER = re.compile(rf"(?<![\w.])[-−]?(?:{DECIMAL}|\d+|inf\b|nan\b)")
NAME = re.compile(
    r"\d+\.\d+\.\d+[\w.+-]*"  # 2.13.0, a version
    r"|\b[^\W\d]\w*-?\d\w*"  # float32, top-1
    r"|\b\dD\b"
    r"|\bPython \d(?:\.\d+)?"
    r"|\b[Ss]ection \d+|\bStep \d+(?=:)"
    r"|(?<![\w.])(?:19[5-9]|20[0-4])\d(?![\w.]|\.\d)"  # a year
    r"|\.\d+[efg](?=\})"  # {loss:.4f}
)
DIGITS = ".0123456789"


def spans(text: str) -> list[tuple[int, int]]:
    """Return where the numbers of a text are, without those that are part of a name."""
    text = NAME.sub(lambda name: " " * len(name[0]), text).replace("−", "-")
    found = NUMBER.finditer(text)
    return [m.span() for m in found if m[0].strip("-") not in ("inf", "nan")]


def numbers(text: str) -> list[str]:
    """Return the numbers of a text."""
    return [text[start:end].replace("−", "-") for start, end in spans(text)]


def is_decimal(number: str) -> bool:
    """Tell a decimal from a whole number."""
    return bool(re.search(r"[.e]", number))


def shows(number: str, value: float) -> bool:
    """Say if the value, rounded to as many digits, is written as this number."""
    number = number.replace("−", "-")
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    if exponent:
        rounded, _, power = f"{value:.{digits}e}".partition("e")
        return mantissa == rounded and int(exponent) == int(power)
    rounded = f"{value:.{digits}f}"
    if not rounded.strip("-0."):
        rounded = rounded.lstrip("-")
    return rounded in (number, number.replace(".", "0.", 1))


def find(words: str, text: str, number: str | None = None) -> re.Match[str] | None:
    """Find the words; a part of a number is not that number.

    With one of their numbers, find words that have any other in its place.
    """
    pattern = re.escape(words)
    if number:
        pattern = pattern.replace(re.escape(number), NUMBER.pattern)
    before = r"(?<!\d)(?<!\d\.)" if words[0] in DIGITS else ""
    after = r"(?!\.?\d)" if words[-1] in DIGITS else ""
    return re.search(f"{before}{pattern}{after}", text)
