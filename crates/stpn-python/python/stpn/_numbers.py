"""Whole numbers as Rust takes them."""

from __future__ import annotations

import operator
from typing import Any, Optional

LARGEST = 2**64 - 1
"""The largest number that Rust takes."""

LARGEST_IN_TOML = 2**63 - 1
"""The largest number that a configuration can have."""


def whole(name: str, value: Any, least: int = 0, most: int = LARGEST) -> int:
    """The argument `name`, if it is a whole number within these bounds."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r}; expected a whole number") from None
    if not least <= number <= most:
        raise ValueError(f"{name}: {number}; allowed are whole numbers from {least} to {most}")
    return number


def optional(name: str, value: Any, least: int = 0, most: int = LARGEST) -> Optional[int]:
    """The same for an argument that may be None."""
    return None if value is None else whole(name, value, least, most)
