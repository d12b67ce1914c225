"""What a plain word of YAML means to Pulumi, whose engine reads stack files with go-yaml 3.

Python's YAML parsers follow other rules (`on` is true, `0o17` is text, `12:30:45` is 45,045). The rules here were
measured on the engine; tests/engine/test_stackfile_parity.py holds them to it.
"""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

JsonScalar = str | int | float | bool | None

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
UINT64_MAX = 2**64 - 1

_CONSTANTS: dict[str, JsonScalar] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_SIGN_AFTER_PREFIX = re.compile(r"0(?:b(?P<bin>[-+][01]+)|o(?P<oct>[-+][0-7]+))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_POINT_FIRST = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{1,2}:\d{1,2}([.,]\d+)?([Zz]|[-+]\d\d:\d\d)?)?")
_LEADING_ZERO = re.compile(r"[-+]?0_*[0-9][0-9_]*")
_WHOLE = re.compile(r"[-+]?[0-9]+")
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a plain scalar means.

    Attributes:
        value: text, number, truth value or None.
        surprise: what is wrong where Pulumi refuses it, or reads something that nobody means by it; otherwise empty.
        why: what Pulumi does with a surprise.
        remedy: what to write instead of a surprise.
    """

    value: JsonScalar
    surprise: str = ""
    why: str = ""
    remedy: str = ""


def _integer(plain: str) -> int | None:
    match = _INTEGER.fullmatch(plain) or _SIGN_AFTER_PREFIX.fullmatch(plain)
    if match is None:
        return None
    base, digits = next(
        (base, digits) for base, digits in match.groupdict().items() if base != "sign" and digits
    )
    signed = match.groupdict().get("sign") or ""
    value = int(signed + digits, _BASES[base])
    highest = INT64_MAX if signed else UINT64_MAX
    return value if INT64_MIN <= value <= highest else None


def _number(text: str) -> int | float | None:
    if text.startswith("."):
        return float(text.replace("_", "")) if _POINT_FIRST.fullmatch(text) else None
    plain = text.replace("_", "")
    whole = _integer(plain)
    if whole is not None:
        return whole
    return float(plain) if _FLOAT.fullmatch(plain) else None


@lru_cache(maxsize=8192)
def resolve(text: str, *, nested: bool) -> Resolved:
    """Return what Pulumi reads from a plain (unquoted) scalar.

    Args:
        text: the scalar as the parser gives it.
        nested: whether it stands inside a map or a list, where the engine keeps whole numbers of 64 bits with a sign
            only; at the top of `config:` a number becomes text at once and keeps 64 bits without a sign.
    """
    if text in _CONSTANTS:
        return Resolved(_CONSTANTS[text])
    if text[0] not in "0123456789+-.":
        return Resolved(text)
    if _NOT_FINITE.fullmatch(text):
        return Resolved(
            None, "no finite number", "Pulumi refuses the file.", "Write a number, or put the text in quotes."
        )
    if _DATE.fullmatch(text):
        return Resolved(
            text,
            "a date without quotes",
            "Pulumi rewrites it, as in `2001-01-31 00:00:00 +0000 UTC`.",
            "Put it in quotes.",
        )
    number = _number(text)
    if number is None or number in (float("inf"), float("-inf")):
        return Resolved(text)
    if isinstance(number, int) and nested and number > INT64_MAX:
        number = float(number)
    if _LEADING_ZERO.fullmatch(text):
        return Resolved(
            number,
            "a number with a leading zero",
            "Pulumi drops the zero, and reads digits up to 7 in base 8: `017` becomes 15.",
            "Put it in quotes if it is a name or an id; otherwise leave the zero out.",
        )
    digits = text.replace("_", "")
    if (
        isinstance(number, float)
        and _WHOLE.fullmatch(digits)
        and int(digits) != int(Decimal(number_text(number)))
    ):
        return Resolved(
            number,
            "a number of more than 64 bits",
            "Pulumi rounds it: the last digits become zeros.",
            "Put it in quotes if it is a name or an id.",
        )
    return Resolved(number)


def number_text(number: float) -> str:
    """Return a number as Go's JSON encoder writes it: shortest digits, an exponent below 1e-6 and from 1e21 on."""
    if isinstance(number, int):
        return str(number)
    if not number:
        return "0"
    if 1e-6 <= abs(number) < 1e21:
        text = format(Decimal(repr(number)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = repr(number).partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].lstrip('0')}"


_HTML = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


@lru_cache(maxsize=8192, typed=True)
def json_text(value: JsonScalar) -> str:
    """Return a scalar as Go's JSON encoder writes it, which escapes `<`, `>` and `&`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).translate(_HTML)
    return number_text(value)


def plain_text(value: JsonScalar) -> str:
    """Return a scalar as the engine hands it over at the top of `config:`, where every value is text."""
    if isinstance(value, str):
        return value
    return "" if value is None else json_text(value)
