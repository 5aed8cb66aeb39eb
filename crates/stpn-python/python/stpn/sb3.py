"""Environments for Stable-Baselines3.

    envs = stpn.sb3.VecEnv(stpn.make_vec("maze", num_envs=64))
    model = PPO("MlpPolicy", envs).learn(1_000_000)

`VecMonitor` of Stable-Baselines3 around it counts episodes.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from stable_baselines3.common.vec_env import base_vec_env

from .gym import VectorEnv

__all__ = ["VecEnv"]


class VecEnv(base_vec_env.VecEnv):
    """A vector of `stpn.make_vec` as Stable-Baselines3 has them: one step of all, without processes.

    Where an episode ends, the observation is the first of the next one; the last one is `infos[i]["terminal_observation"]`,
    and `infos[i]["TimeLimit.truncated"]` says whether it was cut off.
    """

    def __init__(self, envs: VectorEnv) -> None:
        # Stable-Baselines3 keeps the observations of the last step, and stores them after the next one.
        if not getattr(envs.unwrapped, "copy", True):
            raise ValueError("copy=False: the next step would overwrite observations that are still needed; copy=True")
        self.envs = envs
        self.render_mode = None
        self._asked: Optional[np.ndarray] = None
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> np.ndarray:
        """Starts all environments, by the seed that `seed` gave; observations `[B, …]`."""
        seed = self._seeds[0]
        self._reset_seeds()
        observations, _ = self.envs.reset(seed=seed)
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Takes the actions `[B, …]` of the next step."""
        self._asked = actions

    def step_wait(self) -> Tuple[np.ndarray, np.ndarray, np.ndarray, List[Dict[str, Any]]]:
        """Steps: observations, rewards (float32), ends `[B]`, and a dict for each environment."""
        observations, rewards, terminated, truncated, ended = self.envs.step(self._asked)
        infos: List[Dict[str, Any]] = [{} for _ in range(self.num_envs)]
        dones = terminated | truncated
        for index in np.flatnonzero(dones):
            cut = bool(truncated[index] and not terminated[index])
            infos[index] = {"terminal_observation": ended["final_obs"][index], "TimeLimit.truncated": cut}
        return observations, rewards.astype(np.float32), dones, infos

    def close(self) -> None:
        """Ends the environments."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> List[Any]:
        """An attribute of the vector, once for each environment."""
        return [getattr(self.envs, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: the environments are not objects of Python."""
        raise AttributeError(f"{attr_name}: environments of stpn have no attributes to set")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> List[Any]:
        """Refused: the environments are not objects of Python."""
        raise AttributeError(f"{method_name}: environments of stpn have no methods to call")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> List[bool]:
        """Whether each environment has that wrapper: none has any."""
        return [False for _ in self._get_indices(indices)]
