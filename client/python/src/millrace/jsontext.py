"""JSON as Millrace has it: numbers of any size, and values that are handed on as text.

Python's own decoder makes inf of 1e400 and refuses integers of more than 4,300 digits; here an int has any size, and a number that a
float cannot hold becomes a Decimal.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

_CHUNK = 4000  # digits that int() and str() convert themselves
_SPACE = re.compile(r"[ \t\n\r]*")


class Raw(bytes):
    """A value as JSON text in UTF-8. What is put as Raw is sent as it stands; what is taken with raw=True comes as Raw."""


def _int(digits: str) -> int:
    """int() without its limit of digits: by halves, so that the time grows with n^1.6 and not n^2."""
    if digits.startswith("-"):
        return -_int(digits[1:])
    if len(digits) <= _CHUNK:
        return int(digits)
    low = len(digits) // 2
    power: int = 10**low
    return _int(digits[:-low]) * power + _int(digits[-low:])


def _digits(number: int, width: int = 0) -> str:
    """str() without its limit of digits."""
    if number < 0:
        return "-" + _digits(-number)
    if number.bit_length() < 3 * _CHUNK:
        return str(number).rjust(width, "0")
    low = number.bit_length() // 7  # about half of its digits
    high, rest = divmod(number, 10**low)
    return (_digits(high) + _digits(rest, low)).rjust(width, "0")


def _float(text: str) -> float | Decimal:
    number = float(text)
    return number if math.isfinite(number) else Decimal(text)


_decoder = json.JSONDecoder(parse_int=_int, parse_float=_float)
_reader = json.JSONDecoder(parse_int=str, parse_float=str)  # for finding where a value ends


def decode(text: str) -> Any:
    """The value. ValueError if Python cannot hold it."""
    try:
        return _decoder.decode(text)
    except (InvalidOperation, ArithmeticError, RecursionError) as error:
        raise ValueError(f"a number or a depth that Python cannot hold: {error!r}") from error


def encode(value: Any) -> str:
    """The value's text. TypeError for what is not JSON, ValueError for what no JSON text can say (nan, a lone surrogate ...)."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return _encode(value, 0)


def _encode(value: Any, depth: int) -> str:
    """The slow way, for values that have large ints, Decimals or Raw in them; its exceptions are the caller's."""
    if depth > 128:
        raise ValueError("a value is nested at most 128 deep")
    if isinstance(value, Raw):
        return value.decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return _digits(int(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is no JSON number")
        return str(value)
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a member's name is a str, not {type(key).__name__}")
        return "{" + ",".join(json.dumps(k, ensure_ascii=False) + ":" + _encode(v, depth + 1) for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_encode(item, depth + 1) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def split(text: str) -> dict[str, str]:
    """The members of an object, each as its text: whatever Python makes of them. ValueError if it is none."""
    found: dict[str, str] = {}
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("not an object")
    at = _after_space(text, at + 1)
    if text[at : at + 1] == "}":
        return found
    while True:
        is_name = text[at : at + 1] == '"'
        key, at = _reader.raw_decode(text, at)
        at = _after_space(text, at)
        if not is_name or text[at : at + 1] != ":":
            raise ValueError("not an object")
        start = _after_space(text, at + 1)
        _, at = _reader.raw_decode(text, start)
        found[key] = text[start:at]
        at = _after_space(text, at)
        mark = text[at : at + 1]
        if mark == "}":
            return found
        if mark != ",":
            raise ValueError("not an object")
        at = _after_space(text, at + 1)


def split_array(text: str) -> list[str]:
    """The elements of an array, each as its text."""
    found: list[str] = []
    at = _after_space(text, 1)
    while text[at : at + 1] not in ("]", ""):
        start = at
        _, at = _reader.raw_decode(text, start)
        found.append(text[start:at])
        at = _after_space(text, at)
        if text[at : at + 1] == ",":
            at = _after_space(text, at + 1)
    return found


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
