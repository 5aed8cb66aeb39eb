"""How the values of a space travel between Python and Rust, which has numbers and pixels alone."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np


class Space:
    """A space, from what Rust says of it: `kind`, and what tells such a space from others of its kind."""

    def __init__(self, description: Dict[str, Any]) -> None:
        self.kind: str = description["kind"]
        self.description = description
        self.shape: Tuple[int, ...]
        self.dtype: np.dtype[Any]
        if self.kind == "discrete":
            self.shape, self.dtype = (), np.dtype(np.int64)
        elif self.kind == "multi-discrete":
            self.shape, self.dtype = (len(description["counts"]),), np.dtype(np.int64)
        elif self.kind == "multi-binary":
            self.shape, self.dtype = (description["n"],), np.dtype(np.int8)
        else:
            self.shape, self.dtype = tuple(description["shape"]), np.dtype(description["dtype"])

    def __repr__(self) -> str:
        return f"Space({self.description})"

    @property
    def counts(self) -> List[int]:
        """How many choices each element of a value has; none where elements are numbers or switches."""
        if self.kind == "discrete":
            return [self.description["n"]]
        return list(self.description["counts"]) if self.kind == "multi-discrete" else []

    @property
    def parameters(self) -> int:
        """Numbers P that a distribution over this space has."""
        elements = int(np.prod(self.shape))
        return sum(self.counts) or (2 * elements if self.kind == "box" else elements)

    @property
    def carried(self) -> np.dtype[Any]:
        """The dtype of Rust's observations of this space: choices are carried as floats."""
        return self.dtype if self.kind == "box" else np.dtype(np.float32)

    def buffer(self, *count: int) -> np.ndarray:
        """Where Rust writes observations."""
        return np.zeros((*count, *self.shape), self.carried)

    def observed(self, buffer: np.ndarray, copy: bool = True) -> np.ndarray:
        """What a buffer holds, in the dtype of the space; of choices it is a copy in any case."""
        return buffer.astype(self.dtype, copy=copy)

    def shown(self, observations: Any) -> np.ndarray:
        """Observations as Rust reads them. What is too large for single precision becomes infinite."""
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(observations, self.carried)

    def acted(self, actions: Any) -> np.ndarray:
        """Actions as Rust reads them: numbers, or choices. An impossible choice stays one."""
        if self.kind == "box":
            return np.ascontiguousarray(actions, np.float32)
        whole = np.asarray(actions)
        if whole.dtype.kind not in "iub":
            raise ValueError(f"{whole.dtype} actions; {self.kind} ones are whole numbers")
        # What is no uint32 becomes one that no space has.
        largest = np.iinfo(np.uint32).max
        return np.ascontiguousarray(np.where((whole < 0) | (whole > largest), largest, whole).astype(np.uint32))

    def gymnasium(self) -> Any:
        """The space of Gymnasium."""
        from gymnasium import spaces

        if self.kind == "discrete":
            return spaces.Discrete(self.description["n"])
        if self.kind == "multi-discrete":
            return spaces.MultiDiscrete(self.description["counts"])
        if self.kind == "multi-binary":
            return spaces.MultiBinary(self.description["n"])
        low, high = (
            np.array(self.description[bound], np.float32).reshape(self.shape).astype(self.dtype)
            for bound in ("low", "high")
        )
        return spaces.Box(low, high, self.shape, self.dtype.type)
