"""Durations and sizes as users write them: ``0s``, ``90m``, ``12h``, ``30d``, ``2w``; ``500MB``, ``20GB``, ``1GiB``."""

from __future__ import annotations

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_UNITS = ("k", "m", "g", "t")
_ENDLESS = 1e18


def parse_duration(text: str) -> float:
    """Seconds.

    Raises:
        ValueError: it is no duration; the text says how one is written.
    """
    number, unit = _split(text)
    if number is None or unit not in _SECONDS:
        raise ValueError(f"{text!r} is not a duration: write a number and s, m, h, d or w, such as 12h or 30d")
    return number * _SECONDS[unit]


def parse_size(text: str) -> int:
    """Bytes; kB, MB, GB and TB are powers of 1000, KiB, MiB, GiB and TiB of 1024.

    Raises:
        ValueError: it is no size; the text says how one is written.
    """
    number, unit = _split(text)
    if number is not None and number < _ENDLESS:
        if unit == "b" or not (unit or number):
            return int(number)
        prefix, rest = unit[:1], unit[1:]
        if prefix in _UNITS and rest in ("", "b", "ib"):
            base = 1024 if rest == "ib" else 1000
            return int(number * float(base ** (_UNITS.index(prefix) + 1)))
    raise ValueError(f"{text!r} is not a size: write a number and a unit, such as 500MB, 20GB or 1GiB")


def _split(text: str) -> tuple[float | None, str]:
    """A number that is not negative, and the unit in lower case."""
    stripped = text.strip().lower()
    digits = len(stripped) - len(stripped.lstrip("0123456789."))
    try:
        return float(stripped[:digits]), stripped[digits:].strip()
    except ValueError:
        return None, ""
