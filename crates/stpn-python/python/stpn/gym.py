"""Environments for Gymnasium (1.1 or later)."""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Optional, Tuple

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from . import _stpn
from ._numbers import optional, whole
from ._spaces import Space
from ._values import plain

SPELLED = {"cartpole": "CartPole", "cartpole-masked": "CartPoleMasked", "popgym": "POPGym"}
"""Names whose parts are not simply words."""

SEEDS = 2**63
"""The number of seeds."""

MOST = 2**20
"""More environments than anybody steps at once; of fewer, too, the memory may be too small."""


class RenderModeError(TypeError, ValueError):
    """There is no such render mode. It is a TypeError, too: Stable-Baselines3 asks for `rgb_array`, and after a
    TypeError for nothing."""


def identifier(name: str) -> str:
    """What Gymnasium knows an environment by: of `maze` it is `stpn/Maze-v0`."""
    spelled = SPELLED.get(name) or "".join(word.capitalize() for word in name.split("-"))
    return f"stpn/{spelled}-v0"


NAMES = {identifier(name): name for name, _ in _stpn.environments()}
"""The name of every environment inside, by what Gymnasium knows it by."""


def register() -> None:
    """Tells Gymnasium of every environment inside."""
    for known, name in NAMES.items():
        if known not in gymnasium.registry:
            gymnasium.register(
                known,
                entry_point="stpn.gym:Env",
                vector_entry_point="stpn.gym:VectorEnv",
                kwargs={"name": name},
            )


def _configured(name: str, settings: Mapping[str, Any]) -> str:
    values = {key: plain(f"env.{key}", value) for key, value in settings.items()}
    return json.dumps({"name": NAMES.get(name, name), **values})


class Env(gymnasium.Env):
    """One environment, by name (`maze` or `stpn/Maze-v0`), with its settings: those of `[env]` in a configuration."""

    metadata = {"render_modes": ["ansi"], "render_fps": 8}

    def __init__(self, name: str, render_mode: Optional[str] = None, **settings: Any) -> None:
        if render_mode not in (None, "ansi"):
            raise RenderModeError(f"render_mode: {render_mode}; there is ansi alone, and None")
        self.render_mode = render_mode
        self._env = _stpn.Environment(_configured(name, settings))
        self._observations, self._actions = Space(self._env.observation_space), Space(self._env.action_space)
        self.observation_space = self._observations.gymnasium()
        self.action_space = self._actions.gymnasium()
        self._begun = False

    def reset(
        self, *, seed: Optional[int] = None, options: Optional[Dict[str, Any]] = None
    ) -> Tuple[Any, Dict[str, Any]]:
        """Starts an episode. A seed is the environment's own: the same one in Rust gives the same episodes."""
        seed = optional("seed", seed)
        super().reset(seed=seed)
        if options:
            raise ValueError(f"options: {options}; there are none")
        if seed is None and not self._begun:
            seed = int(self.np_random.integers(SEEDS))
        self._begun = True
        buffer = self._observations.buffer()
        self._env.reset(seed, buffer)
        return self._observed(buffer), {}

    def step(self, action: Any) -> Tuple[Any, float, bool, bool, Dict[str, Any]]:
        """One step: observation, reward, whether the task ended, whether the episode was cut off, and an empty info."""
        buffer = self._observations.buffer()
        reward, terminated, truncated = self._env.step(self._actions.acted(action), buffer)
        return self._observed(buffer), reward, terminated, truncated, {}

    def render(self) -> Optional[str]:  # type: ignore[override]
        """The present state as text; empty if the environment has no such view."""
        return None if self.render_mode is None else self._env.render() or ""

    def _observed(self, buffer: np.ndarray) -> Any:
        if self._observations.kind == "discrete":
            return int(buffer)
        return self._observations.observed(buffer, copy=False)


class VectorEnv(gymnasium.vector.VectorEnv):
    """Many environments stepped together, by name (`maze` or `stpn/Maze-v0`), with their settings: those of `[env]` in
    a configuration.

    If an episode ends, the same step begins the next one (`AutoresetMode.SAME_STEP`): `observations` has the first
    observation of the new episode, `info["final_obs"]` the last one of the old, and `info["_final_obs"]` says where.

    With `copy=False` the observations are always the same array, which the next step overwrites.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self, name: str, num_envs: int = 1, *, copy: bool = True, render_mode: Optional[str] = None, **settings: Any
    ) -> None:
        if render_mode is not None:
            raise RenderModeError(f"render_mode: {render_mode}; a vector shows nothing")
        num_envs = whole("num_envs", num_envs, 1, MOST)
        self.num_envs, self.copy = num_envs, copy
        self._vector = _stpn.Vector(_configured(name, settings), num_envs, 0)
        self._observations, self._actions = Space(self._vector.observation_space), Space(self._vector.action_space)
        self.single_observation_space = self._observations.gymnasium()
        self.single_action_space = self._actions.gymnasium()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._current, self._finals = self._observations.buffer(num_envs), self._observations.buffer(num_envs)
        self._rewards = np.zeros(num_envs, np.float32)
        self._terminated, self._truncated = np.zeros(num_envs, bool), np.zeros(num_envs, bool)
        self._begun = False

    def reset(  # type: ignore[override]
        self, *, seed: Optional[int] = None, options: Optional[Dict[str, Any]] = None
    ) -> Tuple[np.ndarray, Dict[str, Any]]:
        """Starts all environments. One seed is enough for all: each has random numbers of its own."""
        if seed is not None and not isinstance(seed, (int, np.integer)):
            raise ValueError(f"seed: {seed}; one whole number is the seed of all environments")
        if options:
            raise ValueError(f"options: {options}; there are none")
        seed = optional("seed", seed)
        super().reset(seed=seed)
        self._vector.reset(int(self.np_random.integers(SEEDS)) if seed is None else seed, self._current)
        self._begun = True
        return self._observations.observed(self._current, self.copy), {}

    def step(self, actions: Any) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Dict[str, Any]]:
        """One step of every environment: observations, rewards, terminations, truncations `[B, …]` and infos."""
        if not self._begun:
            raise gymnasium.error.ResetNeeded("reset comes before the first step")
        self._vector.step(
            self._actions.acted(actions),
            self._current,
            self._finals,
            self._rewards,
            self._terminated,
            self._truncated,
        )
        infos: Dict[str, Any] = {}
        ended = self._terminated | self._truncated
        if ended.any():
            finals: np.ndarray = np.full(self.num_envs, None, object)
            last = self._observations.observed(self._finals)
            for index in np.flatnonzero(ended):
                finals[index] = last[index]
            infos = {"final_obs": finals, "_final_obs": ended, "final_info": {}, "_final_info": ended.copy()}
        return (
            self._observations.observed(self._current, self.copy),
            self._rewards.astype(np.float64),
            self._terminated.copy(),
            self._truncated.copy(),
            infos,
        )
