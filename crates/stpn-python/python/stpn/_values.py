"""Values of a configuration as JSON, and then TOML, has them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._numbers import LARGEST_IN_TOML


def plain(key: str, value: Any) -> Any:
    """The value of `key`: scalars of numpy are numbers, its arrays and tuples are lists, paths are text."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if value is None:
        raise ValueError(f"{key}: None; a configuration cannot have it here: leave it out")
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if not -LARGEST_IN_TOML - 1 <= value <= LARGEST_IN_TOML:
            raise ValueError(f"{key}: {value}; allowed are numbers from {-LARGEST_IN_TOML - 1} to {LARGEST_IN_TOML}")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{key}: {value}; a number of a configuration is finite")
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(f"{key}.{name}", inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(key, inner) for inner in value]
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError(f"{key}: {type(value).__name__}; a configuration has numbers, text, true, false, lists and dicts")
