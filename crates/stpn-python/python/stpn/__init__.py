"""Reinforcement learning with short-term plasticity neurons.

    import stpn

    run = stpn.train("cartpole", updates=100)        # a preset; `stpn list` names them all
    agent = stpn.Agent.load(run.directory)
    action, state = agent.predict(observation)

- `stpn.train`, `stpn.resume`: training, watched by a callback.
- `stpn.Agent`: a trained agent that acts; its network as a module of PyTorch and as an ONNX model.
- `stpn.make_vec` and `gymnasium.make("stpn/Maze-v0")`: environments, if Gymnasium is installed.
- `stpn.torch`: plastic cells as modules of PyTorch, if that is installed.
- `stpn.sb3`: environments for Stable-Baselines3, if that is installed.
- `stpn` on the command line is the same program as the one without Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict

from . import _stpn
from ._numbers import whole
from ._stpn import Error, __version__, get_num_threads
from .agent import Agent, Evaluation, Outputs
from .training import Progress, Run, config, resume, train

if TYPE_CHECKING:
    from .gym import VectorEnv

__all__ = [
    "Agent",
    "Error",
    "Evaluation",
    "Outputs",
    "Progress",
    "Run",
    "__version__",
    "config",
    "environments",
    "get_num_threads",
    "make_vec",
    "resume",
    "set_num_threads",
    "train",
]


def environments() -> Dict[str, str]:
    """The names of the environments inside, each with a line on what it is."""
    return dict(_stpn.environments())


def set_num_threads(threads: int) -> None:
    """Sets on how many threads this process works from now on; 0, the default, is one per core that it may use."""
    _stpn.set_num_threads(whole("threads", threads))


def make_vec(name: str, num_envs: int = 1, *, copy: bool = True, **settings: Any) -> VectorEnv:
    """Many environments stepped together, as a `gymnasium.vector.VectorEnv`: see `stpn.gym.VectorEnv`.

    name: as `stpn.environments` has it, or as Gymnasium does: `maze` or `stpn/Maze-v0`.
    """
    try:
        from .gym import VectorEnv
    except ImportError as error:
        raise ImportError("vectors of environments are those of Gymnasium 1.1 or later: pip install gymnasium") from error

    return VectorEnv(name, num_envs, copy=copy, **settings)


def _register() -> None:
    """Tells Gymnasium of the environments, if it is there and recent enough."""
    try:
        from gymnasium.vector import AutoresetMode  # noqa: F401  (since Gymnasium 1.1)
    except ImportError:
        return
    from . import gym

    gym.register()


_register()
del _register
