"""The network of an agent as a module of PyTorch: what `stpn.Agent.policy` is."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from . import torch as layers
from ._spaces import Space

__all__ = ["Output", "Policy"]

CELLS = {
    kind.cell: kind
    for kind in (
        layers.STPN,
        layers.HebbFF,
        layers.FastWeights,
        layers.Backpropamine,
        layers.LSTM,
        layers.GRU,
        layers.RNN,
        layers.LinearRecurrent,
        layers.LinearAttention,
        layers.FrameStack,
        layers.MLP,
    )
}
"""The layer of each cell, without the options that make it another one."""

CONVOLUTIONS = {
    "paper-cnn": [(16, 8, 4), (32, 4, 2)],
    "nature-cnn": [(32, 8, 4), (64, 4, 2), (64, 3, 1)],
}
"""Filters, their size and their stride, of each layer."""

BYTES = {"unit": (1 / 255, 0.0), "centered": (1 / 128, -1.0), "raw": (1.0, 0.0)}
"""What a byte is multiplied by, and what is added to that."""

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}

MIN_STD = 1e-4
"""The smallest standard deviation of a softplus policy."""


class Output(NamedTuple):
    """What the network says of a batch. After a sequence `policy` and `value` have its steps T in front."""

    policy: torch.Tensor
    """Parameters of the action distributions, `[B, P]`: logits of choices; means and what gives the deviations."""
    value: torch.Tensor
    """Value estimates, `[B]`."""
    state: torch.Tensor
    """Recurrent states after the last step, `[B, S]`, as `stpn.Agent.predict` has them."""


class _Encoder(nn.Module):
    """From observations `[N, …]` to features `[N, E]`, and by a factor to what the recurrent layer is given."""

    def __init__(self, config: Dict[str, Any], space: Space, scale: float) -> None:
        super().__init__()
        self.name, self.counts, self.scale = config["name"], space.counts, scale
        self.bytes = BYTES[config["bytes"]] if space.dtype == np.uint8 else None
        self.activation = ACTIVATIONS[config.get("activation", "relu")]
        self.layers: List[str] = []
        self.strides = [stride for _, _, stride in CONVOLUTIONS.get(self.name, [])]
        self.output = sum(self.counts) if self.counts else int(np.prod(space.shape))
        if self.name in CONVOLUTIONS:
            channels, *extent = space.shape if len(space.shape) == 3 else (1, *space.shape)
            self.image = (channels, *extent)
            for index, (count, size, stride) in enumerate(CONVOLUTIONS[self.name], 1):
                self._add(f"conv{index}", nn.Conv2d(channels, count, size, stride))
                channels, extent = count, [(length - size) // stride + 1 for length in extent]
            self.output = channels * extent[0] * extent[1]
            if self.name == "nature-cnn":
                self.linear = nn.Linear(self.output, config["features"])
                self.output = config["features"]
        elif self.name == "mlp":
            for index, size in enumerate(config["sizes"], 1):
                self._add(f"layer{index}", nn.Linear(self.output, size))
                self.output = size

    def _add(self, name: str, layer: nn.Module) -> None:
        self.add_module(name, layer)
        self.layers.append(name)

    def forward(self, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        if self.counts:
            choices = x.reshape(x.shape[0], -1).to(torch.int64)
            parts = [choices[:, [i]] == torch.arange(n, device=x.device) for i, n in enumerate(self.counts)]
            x = torch.cat(parts, 1)
        x = x.to(dtype)
        if self.bytes is not None:
            factor, summand = self.bytes
            x = x * factor + summand
        if self.name in CONVOLUTIONS:
            x = x.reshape(-1, *self.image)
            for name in self.layers:
                x = torch.relu(getattr(self, name)(x))
            x = x.flatten(1)
            return torch.relu(self.linear(x)) if self.name == "nature-cnn" else x
        x = x.flatten(1)
        for name in self.layers:
            x = self.activation(getattr(self, name)(x))
        return x


class _Trunk(nn.Module):
    """An encoder and a recurrent layer."""

    def __init__(self, config: Dict[str, Any], space: Space) -> None:
        super().__init__()
        options = dict(config["cell"])
        self.encoder = _Encoder(config["encoder"], space, config.get("input_scale", 1.0))
        self.cell = CELLS[options.pop("name")](self.encoder.output, config["hidden"], dtype=torch.float32, **options)


def _shapes(cell: layers.Layer) -> List[Tuple[int, ...]]:
    """Of the fields of a layer's state, in one episode."""
    return [tuple(field.shape[1:]) for field in cell.zero_state(1)]


def _through(
    encoder: _Encoder, cell: layers.Layer, x: torch.Tensor, state: torch.Tensor, resets: Optional[torch.Tensor]
) -> Tuple[torch.Tensor, torch.Tensor]:
    """Activities `[T, B, H]` and the states after them, packed, from x `[T, B, …]` and packed states `[B, S]`."""
    steps, batch = x.shape[:2]
    features = encoder(x.flatten(0, 1), state.dtype).reshape(steps, batch, encoder.output)
    if encoder.scale != 1.0:
        features = features * encoder.scale
    shapes = _shapes(cell)
    parts = torch.split(state, [int(np.prod(shape)) for shape in shapes], 1) if shapes else []
    hidden, fields = cell(features, [part.reshape(batch, *shape) for part, shape in zip(parts, shapes)], resets)
    return hidden, torch.cat([field.flatten(1) for field in fields], 1) if shapes else state


class Policy(nn.Module):
    """The network of an agent: `(policy, value, state)` from observations, as `stpn.Agent.predict` computes them.

    Its parameters have the names of a checkpoint (`encoder.…`, `cell.…`, `critic.…`, `policy.…`, `value.…`) and can be
    trained further. The statistics by which the agent normalises observations are part of it, and stay as they are.
    """

    mean: Optional[torch.Tensor]
    variance: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def __init__(
        self,
        config: Dict[str, Any],
        observations: Space,
        actions: Space,
        normalization: Optional[Tuple[np.ndarray, np.ndarray, float]] = None,
    ) -> None:
        super().__init__()
        trunk = _Trunk(config, observations)
        # A checkpoint has no name for the policy's own trunk.
        self.encoder, self.cell = trunk.encoder, trunk.cell
        self.observations, self.actions, self.gaussian = observations, actions, config["gaussian"]
        self.critic = _Trunk(config, observations) if config["critic"] == "separate" else None
        self.own, hidden = sum(int(np.prod(shape)) for shape in _shapes(self.cell)), config["hidden"]
        self.state_size = self.own * (1 if self.critic is None else 2)
        free = actions.kind == "box" and self.gaussian["std"] == "state-independent"
        numbers = actions.parameters
        self.policy = nn.Linear(hidden, numbers // 2 if free else numbers)
        if free:
            self.policy.register_parameter("log_std", nn.Parameter(torch.zeros(numbers // 2)))
        self.value = nn.Linear(hidden, 1)
        mean, variance, self.clip = normalization or (None, None, 0.0)
        for name, values in (("mean", mean), ("variance", variance)):
            self.register_buffer(name, None if values is None else torch.from_numpy(values), persistent=False)
        for name in ("low", "high") if actions.kind == "box" else ():
            bound = torch.tensor(actions.description[name], dtype=torch.float32).reshape(actions.shape)
            self.register_buffer(name, bound, persistent=False)

    def forward(
        self,
        observation: torch.Tensor,
        state: Optional[torch.Tensor] = None,
        episode_start: Optional[torch.Tensor] = None,
    ) -> Output:
        """One step from observations `[B, …]`, or a sequence of them `[T, B, …]`.

        state: what the last call returned, `[B, S]`; None is zeros.
        episode_start: `[B]`, or `[T, B]`, true where an observation is the first of an episode.

        Raises ValueError if a shape does not fit.
        """
        shape = list(self.observations.shape)
        steps = observation.dim() == len(shape) + 2
        if observation.dim() - len(shape) not in (1, 2) or list(observation.shape[1 + steps :]) != shape:
            raise ValueError(f"observation: {list(observation.shape)}; expected [B, …] or [T, B, …] of {shape}")
        if not steps:
            observation = observation.unsqueeze(0)
            episode_start = None if episode_start is None else episode_start.unsqueeze(0)
        dtype = self.value.weight.dtype
        if state is None:
            state = torch.zeros(observation.shape[1], self.state_size, dtype=dtype, device=observation.device)
        elif list(state.shape) != [observation.shape[1], self.state_size]:
            raise ValueError(f"state: {list(state.shape)}; expected {[observation.shape[1], self.state_size]}")
        if self.mean is not None:
            # In double precision, as Rust has it.
            deviation = (self.variance + 1e-8).sqrt().reshape(shape)
            centered = observation.to(self.mean.dtype) - self.mean.reshape(shape)
            observation = (centered / deviation).to(dtype)
            observation = observation.clamp(-self.clip, self.clip)
        hidden, after = _through(self.encoder, self.cell, observation, state[:, : self.own], episode_start)
        of_value = hidden
        if self.critic is not None:
            critic = self.critic
            of_value, own = _through(critic.encoder, critic.cell, observation, state[:, self.own :], episode_start)
            after = torch.cat([after, own], 1)
        policy, value = self.policy(hidden), self.value(of_value).squeeze(-1)
        log_std = getattr(self.policy, "log_std", None)
        if log_std is not None:
            policy = torch.cat([policy, log_std.expand_as(policy)], -1)
        return Output(policy if steps else policy[0], value if steps else value[0], after)

    def distribution(self, policy: torch.Tensor) -> Union[Any, List[Any]]:
        """The distribution of actions with these parameters `[…, P]`: of PyTorch; of several choices a list of them.

        Of numbers it is that of the action before it is clipped or squashed into its space.
        """
        from torch import distributions as of

        kind = self.actions.kind
        if kind == "discrete":
            return of.Categorical(logits=policy)
        if kind == "multi-discrete":
            return [of.Categorical(logits=logits) for logits in self._choices(policy)]
        if kind == "multi-binary":
            return of.Independent(of.Bernoulli(logits=policy), 1)
        mean, raw = policy.chunk(2, -1)
        std = functional.softplus(raw) + MIN_STD if self.gaussian["std"] == "softplus" else raw.exp()
        return of.Independent(of.Normal(mean, std), 1)

    def mode(self, policy: torch.Tensor) -> torch.Tensor:
        """The most probable action, as the environment takes it, from parameters `[…, P]`."""
        kind = self.actions.kind
        if kind == "discrete":
            return policy.argmax(-1)
        if kind == "multi-discrete":
            return torch.stack([logits.argmax(-1) for logits in self._choices(policy)], -1)
        if kind == "multi-binary":
            return (policy > 0).to(torch.int8)
        mean = policy.chunk(2, -1)[0]
        mean = mean.reshape(*mean.shape[:-1], *self.actions.shape)
        if self.gaussian["squash"]:
            mean = self.low + 0.5 * (self.high - self.low) * (torch.tanh(mean) + 1)
        return torch.minimum(torch.maximum(mean, self.low), self.high)

    def _choices(self, policy: torch.Tensor) -> List[torch.Tensor]:
        return list(torch.split(policy, self.actions.counts, -1))
