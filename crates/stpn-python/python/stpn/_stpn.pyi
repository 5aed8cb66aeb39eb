"""The compiled half of the package; users import the other one."""

from os import PathLike
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import numpy as np
from numpy.typing import NDArray

__version__: str

Space = Dict[str, Any]
Observations = Union[NDArray[np.float32], NDArray[np.uint8]]
Actions = Union[NDArray[np.uint32], NDArray[np.float32]]
Real = Union[NDArray[np.float32], NDArray[np.float64]]

class Error(Exception): ...

class Agent:
    observation_space: Space
    action_space: Space
    state_size: int
    update: int
    def __new__(cls, path: Union[str, PathLike[str]], seed: int) -> Agent: ...
    def config(self) -> str: ...
    def seed(self, seed: int) -> None: ...
    def act(
        self,
        observations: Observations,
        state: NDArray[np.float32],
        episode_starts: NDArray[np.uint8],
        deterministic: bool,
    ) -> Tuple[NDArray[Any], NDArray[np.float32]]: ...
    def evaluate(self, episodes: int, seed: int, deterministic: bool) -> Dict[str, Any]: ...

class Environment:
    observation_space: Space
    action_space: Space
    def __new__(cls, config: str) -> Environment: ...
    def reset(self, seed: Optional[int], observation: Observations) -> None: ...
    def step(self, action: Actions, observation: Observations) -> Tuple[float, bool, bool]: ...
    def render(self) -> Optional[str]: ...

class Vector:
    observation_space: Space
    action_space: Space
    def __new__(cls, config: str, count: int, seed: int) -> Vector: ...
    def reset(self, seed: int, observations: Observations) -> None: ...
    def step(
        self,
        actions: Actions,
        observations: Observations,
        finals: Observations,
        rewards: NDArray[np.float32],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None: ...

class Tape: ...

class Layer:
    fused: bool
    def __new__(cls, options: str, input: int, hidden: int, seed: int) -> Layer: ...
    def options(self) -> str: ...
    def parameters(self) -> List[Tuple[str, List[int], NDArray[np.float64]]]: ...
    def state_fields(self) -> List[Tuple[str, List[int]]]: ...
    def forward(
        self, parameters: Real, x: Real, resets: Optional[NDArray[np.uint8]], state: Real, tape: bool
    ) -> Tuple[Real, Real, Optional[Tape]]: ...
    def backward(
        self, tape: Tape, x: Real, hidden: Real, grad_hidden: Real, grad_state: Optional[Real], want_x: bool
    ) -> Tuple[Real, Optional[Real], Real]: ...

def run(arguments: List[str], executable: str) -> int: ...
def environments() -> List[Tuple[str, str]]: ...
def set_num_threads(threads: int) -> None: ...
def get_num_threads() -> int: ...
def configure(
    experiment: str,
    overrides: List[str],
    *,
    algo: Optional[str] = None,
    cell: Optional[str] = None,
    hidden: Optional[int] = None,
    seed: Optional[int] = None,
    updates: Optional[int] = None,
    steps: Optional[int] = None,
    threads: Optional[int] = None,
) -> str: ...
def check(config: str) -> str: ...
def train(
    directory: Union[str, PathLike[str]],
    config: Optional[str],
    updates: Optional[int],
    callback: Optional[Callable[[int, int, int, Dict[str, float]], Any]],
) -> Tuple[bool, int, int, Optional[float]]: ...
