"""A trained agent that acts."""

from __future__ import annotations

import json
import tempfile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy as np

from . import _stpn
from ._numbers import whole
from ._spaces import Space

if TYPE_CHECKING:
    from .policy import Policy


class Evaluation(NamedTuple):
    """What fresh episodes gave."""

    returns: np.ndarray
    """Return of every episode, `[episodes]`, float64."""
    lengths: np.ndarray
    """Steps of every episode, `[episodes]`, uint64."""
    energy_per_unit_step: Optional[float]
    """Mean energy of a unit in a step."""
    oracle_return: Optional[float]
    """Expected return of the best possible policy, if the environment knows it."""

    @property
    def mean_return(self) -> float:
        """Mean return of an episode."""
        return float(np.mean(self.returns))

    @property
    def mean_length(self) -> float:
        """Mean steps of an episode."""
        return float(np.mean(self.lengths))


class Outputs(NamedTuple):
    """What an agent's network says of B observations."""

    policy: np.ndarray
    """Parameters of the action distributions, `[B, P]` float32: logits of choices; means and what gives the standard
    deviations of numbers."""
    value: np.ndarray
    """Value estimates, `[B]` float32."""
    state: np.ndarray
    """Recurrent states after that, `[B, S]` float32."""


class Agent:
    """A policy with all that it needs to act: `Agent.load` reads one. Several threads may use the same.

    It can be copied and pickled: a copy holds everything and needs none of its files, but for `metrics`.
    """

    def __init__(self, path: Union[str, PathLike[str]], seed: int = 0, *, trust_env_code: bool = False) -> None:
        self._path = Path(path)
        self._agent = _stpn.Agent(self._path, whole("seed", seed), trust_env_code)
        self._observations = Space(self._agent.observation_space)
        self._actions = Space(self._agent.action_space)
        self._policy: Optional[Policy] = None

    @classmethod
    def load(cls, path: Union[str, PathLike[str]], seed: int = 0, *, trust_env_code: bool = False) -> Agent:
        """The agent of a run, of an exported folder or of a checkpoint.

        seed: that of sampled actions.
        trust_env_code: runs the code that its configuration names (`env.make`, `env.import`, `env.wrappers`). Give it
            only if you trust its author. Code that `stpn.train` ran in this process needs no leave.
        """
        return cls(path, seed, trust_env_code=trust_env_code)

    def save(self, path: Union[str, PathLike[str]]) -> None:
        """Writes the agent, without what only training needs and without the log of its training, into a new folder,
        which `Agent.load` takes. `stpn export` writes the log too."""
        self._agent.save(path)

    def __getstate__(self) -> Dict[str, Any]:
        kept = self.__dict__.copy()
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder, "agent")
            self.save(saved)
            paths = [path for path in saved.rglob("*") if path.is_file()]
            files = {path.relative_to(saved).as_posix(): path.read_bytes() for path in paths}
        kept["_agent"] = (files, self._agent.streams())
        return kept

    def __setstate__(self, kept: Dict[str, Any]) -> None:
        files, streams = kept.pop("_agent")
        self.__dict__.update(kept)
        with tempfile.TemporaryDirectory() as folder:
            for name, contents in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(contents)
            # Who had the agent was allowed to run its code, and who reads a pickle allows more than that.
            self._agent = _stpn.Agent(folder, 0, True)
        self._agent.set_streams(streams)

    def __repr__(self) -> str:
        return f"<stpn.Agent of {self._path}, after {self.update} updates>"

    @property
    def update(self) -> int:
        """Updates that it was trained for."""
        return self._agent.update

    @property
    def state_size(self) -> int:
        """Numbers S of the state of one episode."""
        return self._agent.state_size

    @property
    def config(self) -> Dict[str, Any]:
        """Its whole configuration, as `stpn config` shows it."""
        return json.loads(self._agent.config())

    @property
    def observation_space(self) -> Any:
        """The space of its observations; needs Gymnasium."""
        return self._observations.gymnasium()

    @property
    def action_space(self) -> Any:
        """The space of its actions; needs Gymnasium."""
        return self._actions.gymnasium()

    def seed(self, seed: int) -> None:
        """Starts the random numbers of sampled actions anew."""
        self._agent.seed(whole("seed", seed))

    def predict(
        self,
        observation: Any,
        state: Optional[np.ndarray] = None,
        episode_start: Optional[np.ndarray] = None,
        deterministic: bool = False,
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Chooses actions, as the policies of sb3-contrib do: `(action, state)`.

        observation: one observation `[…]`, or those of B episodes `[B, …]`.
        state: what the last call returned, `[B, S]` float32; None is zeros, the state at the start of an episode.
        episode_start: `[B]`, true if the observation is the first of an episode; None is false.
        deterministic: the most probable action; else a sample.

        The action is an array of the action space, `[B, …]` if the observations are: of one discrete action it has no
        dimension. The state goes into the next call.
        """
        single, observed, before, starts = self._given(observation, state, episode_start)
        batch = len(starts)
        actions, after = self._agent.act(observed, before, starts, deterministic)
        actions = actions.reshape(batch, *self._actions.shape).astype(self._actions.dtype, copy=False)
        return (actions.squeeze(0) if single else actions), after

    def outputs(
        self,
        observation: Any,
        state: Optional[np.ndarray] = None,
        episode_start: Optional[np.ndarray] = None,
    ) -> Outputs:
        """What the network says where `predict` chooses an action: `(policy, value, state)`.

        The arguments are those of `predict`; one observation is a batch of one.
        """
        _, observed, before, starts = self._given(observation, state, episode_start)
        return Outputs(*self._agent.outputs(observed, before, starts))

    @property
    def policy(self) -> Policy:
        """The network as a module of PyTorch with the same outputs: see `stpn.policy.Policy`. Needs PyTorch.

        It is made once, with a copy of the weights: training it does not change what `predict` does.
        """
        if self._policy is None:
            try:
                import torch
            except ImportError as error:
                raise ImportError("the policy is a module of PyTorch: pip install torch") from error
            from .policy import Policy

            normalization = self._agent.normalization()
            policy = Policy(self.config["policy"], self._observations, self._actions, normalization)
            parameters = self._agent.parameters()
            policy.load_state_dict(
                {name: torch.from_numpy(values).reshape(shape) for name, shape, values in parameters}
            )
            self._policy = policy
        return self._policy

    def to_onnx(self, path: Union[str, PathLike[str]]) -> None:
        """Writes one step of the network as an ONNX model of standard operations, for any batch size B.

        Inputs: `observation` [B, …], `state` [B, S] float32 (zeros at first) and `episode_start` [B] bool. Outputs:
        `action` [B, …], the most probable one as the environment takes it, `policy` [B, P], `value` [B] and `state_out`
        [B, S], the next step's `state`. Needs PyTorch; the newest ones need `onnxscript` beside it.
        """
        policy = self.policy
        from ._onnx import export

        export(policy, Path(path))

    def _given(
        self, observation: Any, state: Optional[np.ndarray], episode_start: Optional[np.ndarray]
    ) -> Tuple[bool, np.ndarray, np.ndarray, np.ndarray]:
        """Whether it is one observation alone; then all as Rust reads it: `[B, …]`, `[B, S]`, `[B]`."""
        observation = np.asarray(observation)
        shape = self._observations.shape
        if observation.shape == shape:
            single, batch = True, 1
            observation = observation[None]
        elif observation.ndim == len(shape) + 1 and observation.shape[1:] == shape and len(observation):
            single, batch = False, len(observation)
        else:
            raise ValueError(f"observation: {list(observation.shape)}; expected {list(shape)}, or B of them")
        if observation.dtype != self._observations.dtype and self._observations.dtype == np.uint8:
            raise ValueError(f"observation: {observation.dtype}; these are pixels, uint8")
        size = self.state_size
        state = np.zeros((batch, size), np.float32) if state is None else np.ascontiguousarray(state, np.float32)
        if state.shape != (batch, size):
            raise ValueError(f"state: {list(state.shape)}; expected {[batch, size]}")
        if episode_start is None:
            starts = np.zeros(batch, np.uint8)
        else:
            starts = np.ascontiguousarray(np.asarray(episode_start, bool).reshape(-1), np.uint8)
            if len(starts) != batch:
                raise ValueError(f"episode_start: {len(starts)} elements for {batch} episodes")
        observation = self._observations.shown(observation)
        # Every later state would be NaN, too, and the actions nonsense.
        if observation.dtype.kind == "f" and not np.isfinite(observation).all():
            wrong = observation[~np.isfinite(observation)].flat[0]
            raise ValueError(f"observation: it has {wrong} in it; every element must be a finite number")
        return single, observation, state, starts

    def evaluate(self, episodes: int = 100, *, seed: int = 0, deterministic: bool = False) -> Evaluation:
        """Measures it on so many fresh episodes of its environment, as `stpn eval` does."""
        return Evaluation(**self._agent.evaluate(whole("episodes", episodes, 1), whole("seed", seed), deterministic))

    def metrics(self) -> Dict[str, np.ndarray]:
        """What was logged in its training: arrays `[entries]` by name, NaN where an entry has no such number."""
        # A checkpoint lies two folders deep in its run's.
        for folder in (self._path, *list(self._path.resolve().parents)[:2]):
            if (folder / "metrics.jsonl").is_file():
                return _columns(folder / "metrics.jsonl")
        raise FileNotFoundError(f"{self._path} is of no run that has a metrics.jsonl")


def _columns(path: Path) -> Dict[str, np.ndarray]:
    """The numbers in a file of one JSON object a line, by name."""
    entries: List[Dict[str, Any]] = []
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            # What a run that was killed, or is writing right now, has of its last line is no entry.
            if line.endswith(b"\n"):
                entries.append(_entry(path, number, line))
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    return {name: np.array([_number(entry.get(name)) for entry in entries]) for name in names}


def _entry(path: Path, number: int, line: bytes) -> Dict[str, Any]:
    """The object in a line of a file."""
    try:
        entry = json.loads(line.decode("utf-8"))
        if not isinstance(entry, dict):
            raise ValueError("it is no object")
        for value in entry.values():
            _number(value)
    except (TypeError, ValueError) as error:
        problem = f"{path}, line {number}: the line is damaged ({error}); `stpn resume` leaves such lines out"
        raise ValueError(problem) from error
    return entry


def _number(value: Optional[float]) -> float:
    return np.nan if value is None else float(value)
