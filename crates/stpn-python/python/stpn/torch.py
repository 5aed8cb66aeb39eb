"""Plastic and other recurrent layers as modules of PyTorch (1.13 or later).

    layer = stpn.torch.STPN(input_size, hidden_size)
    output, state = layer(x)                    # x [T, B, I], output [T, B, H]
    output, state = layer(more, state)          # goes on

They are used as `torch.nn.LSTM` is. On the CPU a sequence runs in a fused kernel, forward and backward, without a copy
of a contiguous x [T, B, I] and without Python's lock; elsewhere, and with the few options that have no kernel, in
operations of PyTorch.
"""

from __future__ import annotations

import json
import math
from collections import namedtuple
from functools import lru_cache, reduce
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import torch
from torch import nn

from . import _composed, _stpn
from ._numbers import whole

__all__ = [
    "MLP",
    "RNN",
    "GRU",
    "LSTM",
    "STPN",
    "STPNf",
    "HebbFF",
    "FastWeights",
    "LinearRecurrent",
    "LinearAttention",
    "FrameStack",
    "DifferentiablePlasticity",
    "Backpropamine",
    "RetroactiveBackpropamine",
]

SEEDS = 2**63 - 1
"""The number of seeds."""

WIDEST = 2**31 - 1
"""The largest size that a configuration takes."""


@lru_cache(maxsize=None)
def _state_type(names: Tuple[str, ...]) -> Any:
    """The named tuple of these fields."""
    kind = namedtuple("State", names)  # type: ignore[misc]
    # Its class is in no module: pickle makes it again from the names.
    setattr(kind, "__reduce__", lambda state: (_state, (names, *state)))  # noqa: B010  (a type checker forbids more)
    return kind


def _state(names: Tuple[str, ...], *fields: torch.Tensor) -> Any:
    return _state_type(names)(*fields)


def _apart(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keeps a function out of what `torch.compile` traces, if there is such a thing."""
    try:
        from torch.compiler import disable
    except ImportError:
        return function
    return disable(function)


def _autocast(device: str) -> bool:
    """Whether `torch.autocast` is on for that type of device."""
    enabled: Callable[..., bool] = torch.is_autocast_enabled
    try:
        return enabled(device)
    except TypeError:
        # Before PyTorch 2.4 it was asked about CUDA alone.
        return torch.is_autocast_cpu_enabled() if device == "cpu" else enabled()


def _raised(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A tensor of half precision in that precision; any other as it is."""
    return tensor.to(dtype) if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _traced() -> bool:
    """Whether operations are being written down: a kernel is none that could be."""
    exporting = getattr(getattr(torch, "compiler", None), "is_exporting", lambda: False)
    return torch.jit.is_tracing() or exporting()


class _Fused(torch.autograd.Function):
    """(packed parameters, x [T, B, I], state [B, S]) to (activities [T, B, H], final state [B, S])."""

    @staticmethod
    def forward(
        ctx: Any,
        parameters: torch.Tensor,
        x: torch.Tensor,
        state: torch.Tensor,
        resets: Optional[torch.Tensor],
        layer: _stpn.Layer,
        tracked: bool,
    ) -> Tuple[torch.Tensor, torch.Tensor]:
        packed, inputs, start = (tensor.detach().numpy() for tensor in (parameters, x, state))
        given = None if resets is None else resets.numpy()
        activities, final, ctx.tape = layer.forward(packed, inputs, given, start, tracked)
        hidden, ctx.layer = torch.from_numpy(activities), layer
        ctx.save_for_backward(x, hidden)
        ctx.set_materialize_grads(False)
        return hidden, torch.from_numpy(final)

    @staticmethod
    def backward(ctx: Any, grad_hidden: Optional[torch.Tensor], grad_state: Optional[torch.Tensor]) -> Any:
        if torch.is_grad_enabled():
            # What would come out were constants, and nobody would notice.
            raise RuntimeError("create_graph=True: the kernels of stpn.torch have no second derivative")
        x, hidden = ctx.saved_tensors
        if grad_hidden is None and grad_state is None:
            return (None,) * 6
        grad_hidden = torch.zeros_like(hidden) if grad_hidden is None else grad_hidden.contiguous()
        grad_state = None if grad_state is None else grad_state.contiguous().numpy()
        arrays = [tensor.detach().numpy() for tensor in (x, hidden, grad_hidden)]
        grads = ctx.layer.backward(ctx.tape, *arrays, grad_state, ctx.needs_input_grad[1])
        grads = [None if grad is None else torch.from_numpy(grad) for grad in grads]
        return (*grads, None, None, None)


class Layer(nn.Module):
    """What all layers have in common.

    input_size, hidden_size: I and H.
    batch_first: x is [B, T, I] and the output [B, T, H]; without it [T, B, I] and [T, B, H].
    device, dtype: of the parameters; float32 or float64.
    options: the cell's own, as in `[policy.cell]` of a configuration: `stpn explain policy.cell` tells of them.

    Initial values follow `torch.manual_seed`. Sizes for which the machine has no memory are a MemoryError.
    """

    cell: str
    """The cell's name, as in a configuration."""
    preset: Dict[str, Any] = {}
    """Options that make it what its class is called."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        batch_first: bool = False,
        device: Any = None,
        dtype: Optional[torch.dtype] = None,
        **options: Any,
    ) -> None:
        super().__init__()
        dtype = torch.get_default_dtype() if dtype is None else dtype
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f"dtype: {dtype}; there are torch.float32 and torch.float64")
        self.input_size = whole("input_size", input_size, 1, WIDEST)
        self.hidden_size = whole("hidden_size", hidden_size, 1, WIDEST)
        self.batch_first = batch_first
        if "name" in options:
            kind = type(self).__name__
            problem = f"{kind} is of the cell {self.cell}: other cells are other classes"
            raise TypeError(f"name: {options['name']!r}; {problem}")
        asked = json.dumps({"name": self.cell, **self.preset, **options})
        seed = int(torch.randint(SEEDS, (), device="cpu"))
        self._layer = _stpn.Layer(asked, self.input_size, self.hidden_size, seed)
        self._options = json.loads(self._layer.options())
        self._fields = self._layer.state_fields()
        self.State = _state_type(tuple(name for name, _ in self._fields))
        self._names = []
        for name, shape, values in self._layer.parameters():
            self._names.append(name)
            module: nn.Module = self
            last = name
            if "." in name:
                part, last = name.split(".")
                if not hasattr(self, part):
                    self.add_module(part, nn.Module())
                module = getattr(self, part)
            initial = torch.tensor(values, device=device, dtype=dtype).reshape(shape)
            module.register_parameter(last, nn.Parameter(initial))

    def __getstate__(self) -> Dict[str, Any]:
        kept = self.__dict__.copy()
        # Made again from the options.
        del kept["_layer"], kept["State"]
        return kept

    def __setstate__(self, kept: Dict[str, Any]) -> None:
        super().__setstate__(kept)
        self._layer = _stpn.Layer(json.dumps(self._options), self.input_size, self.hidden_size, 0)
        self.State = _state_type(tuple(name for name, _ in self._fields))

    def extra_repr(self) -> str:
        plain = f"{self.input_size}, {self.hidden_size}"
        return f"{plain}, batch_first=True" if self.batch_first else plain

    def zero_state(self, batch: int) -> Any:
        """The state of `batch` elements at the start of an episode: a named tuple of zeros, `[B, …]` each."""
        like = next(self.parameters())
        return self.State(*(like.new_zeros(batch, *shape) for _, shape in self._fields))

    @_apart
    def forward(
        self,
        x: torch.Tensor,
        state: Optional[Sequence[torch.Tensor]] = None,
        resets: Optional[torch.Tensor] = None,
    ) -> Tuple[torch.Tensor, Any]:
        """`(output, state)` after the sequence x `[T, B, I]`, or one without a batch, `[T, I]`.

        state: what the last call returned, `[B, …]` each; None is zeros.
        resets: `[T, B]`, or `[B, T]` with batch_first, `[T]` without a batch; true where the episode of an element
            starts: its state is zeroed before that step.

        Raises ValueError if a shape or a dtype does not fit.
        """
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"x: {type(x).__name__}; expected a tensor")
        if x.dim() not in (2, 3) or x.shape[-1] != self.input_size or 0 in x.shape:
            raise ValueError(f"x: {list(x.shape)}; expected {self._expected()}, none empty")
        if resets is not None and resets.shape != x.shape[:-1]:
            raise ValueError(f"resets: {list(resets.shape)}; expected {list(x.shape[:-1])}")
        single = x.dim() == 2
        if single:
            dim = 0 if self.batch_first else 1
            x = x.unsqueeze(dim)
            resets = None if resets is None else resets.unsqueeze(dim)
            state = None if state is None else [field.unsqueeze(0) for field in state]
        if self.batch_first:
            x = x.transpose(0, 1)
            resets = None if resets is None else resets.transpose(0, 1)
        fields = self._checked(state, x.shape[1])
        hidden, fields = self._sequence(x, fields, resets)
        if self.batch_first:
            hidden = hidden.transpose(0, 1)
        if single:
            hidden, fields = hidden.squeeze(dim), [field.squeeze(0) for field in fields]
        return hidden, self.State(*fields)

    def _expected(self) -> str:
        return f"{'[B, T' if self.batch_first else '[T, B'}, {self.input_size}], or [T, {self.input_size}]"

    def _checked(self, state: Optional[Sequence[torch.Tensor]], batch: int) -> Optional[List[torch.Tensor]]:
        if state is None:
            return None
        state = list(state)
        if len(state) != len(self._fields):
            raise ValueError(f"state: {len(state)} tensors; expected {', '.join(name for name, _ in self._fields)}")
        for field, (name, shape) in zip(state, self._fields):
            if list(field.shape) != [batch, *shape]:
                raise ValueError(f"state.{name}: {list(field.shape)}; expected {[batch, *shape]}")
        return state

    def _sequence(
        self, x: torch.Tensor, fields: Optional[List[torch.Tensor]], resets: Optional[torch.Tensor]
    ) -> Tuple[torch.Tensor, List[torch.Tensor]]:
        named: Dict[str, Any] = {name: reduce(getattr, name.split("."), self) for name in self._names}
        like = named[self._names[0]]
        if like.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"the parameters are {like.dtype}; a layer is of torch.float32 or torch.float64")
        if _autocast(x.device.type):
            # Fast weights add up over a sequence: they need the precision of the parameters.
            with torch.autocast(x.device.type, enabled=False):
                raised = None if fields is None else [_raised(field, like.dtype) for field in fields]
                return self._sequence(_raised(x, like.dtype), raised, resets)
        if x.dtype != like.dtype or any(field.dtype != like.dtype for field in fields or ()):
            raise ValueError(f"x is {x.dtype} and the parameters are {like.dtype}: one dtype is needed for all")
        if like.device.type == x.device.type == "cpu" and self._layer.fused and not _traced():
            return self._fused(x, fields, resets, list(named.values()))
        if fields is None:
            fields = list(self.zero_state(x.shape[1]))
        return _composed.sequence(self._options, named, self._fields, x, fields, resets)

    def _fused(
        self,
        x: torch.Tensor,
        fields: Optional[List[torch.Tensor]],
        resets: Optional[torch.Tensor],
        parameters: List[torch.Tensor],
    ) -> Tuple[torch.Tensor, List[torch.Tensor]]:
        batch = x.shape[1]
        packed = torch.cat([parameter.reshape(-1) for parameter in parameters])
        widths = [math.prod(shape) for _, shape in self._fields]
        if fields:
            state = torch.cat([field.reshape(batch, -1) for field in fields], 1)
        else:
            # The fields of a zero state need not be made one by one.
            state = x.new_zeros(batch, sum(widths))
        if resets is not None:
            resets = resets.bool().to(torch.uint8).contiguous()
        x = x.contiguous()
        tracked = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (packed, x, state))
        hidden, final = _Fused.apply(packed, x, state, resets, self._layer, tracked)
        parts = torch.split(final, widths, 1) if widths else []
        return hidden, [part.reshape(batch, *shape) for part, (_, shape) in zip(parts, self._fields)]


class STPN(Layer):
    """Short-term plasticity neurons, recurrent: a fast weight, a decay and a rate per synapse (Rodriguez et al. 2022).

    State: `h` [B, H], `F` [B, H, I+H]. Parameters: `weight`, `lambda`, `gamma` [H, I+H], `bias` [H].
    """

    cell = "stpn"


class STPNf(Layer):
    """Short-term plasticity neurons, feed-forward: all memory in the synapses.

    State: `F` [B, H, I]. Parameters: `weight`, `lambda`, `gamma` [H, I].
    """

    cell = "stpn"
    preset = {"recurrent": False, "normalize_state": "none", "bias": False}


class HebbFF(Layer):
    """The anti-Hebbian feed-forward network of Tyulmankov et al. 2022. State: `F` [B, H, I]."""

    cell = "hebbff"


class FastWeights(Layer):
    """Fast weights that attend to the recent past (Ba et al. 2016). State: `h` [B, H], `F` [B, H, H]."""

    cell = "fast-weights"


class DifferentiablePlasticity(Layer):
    """Plastic recurrent weights with one trained rate (Miconi et al. 2018). State: `h` [B, H], `F` [B, H, H]."""

    cell = "backpropamine"
    preset = {"modulation": "constant"}


class Backpropamine(Layer):
    """Plastic recurrent weights with a self-made rate (Miconi et al. 2019). State: `h` [B, H], `F` [B, H, H]."""

    cell = "backpropamine"


class RetroactiveBackpropamine(Layer):
    """Backpropamine acting on an eligibility trace. State: `h` [B, H], `F` and `trace` [B, H, H]."""

    cell = "backpropamine"
    preset = {"modulation": "retroactive"}


class LSTM(Layer):
    """Long short-term memory. State: `h` and `c` [B, H]. With `split=True` the parameters are those of
    `torch.nn.LSTMCell`: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`."""

    cell = "lstm"


class GRU(Layer):
    """Gated recurrent unit, with the equations and the parameters of `torch.nn.GRUCell`. State: `h` [B, H]."""

    cell = "gru"


class RNN(Layer):
    """Plain tanh recurrent network. State: `h` [B, H]."""

    cell = "rnn"


class LinearRecurrent(Layer):
    """Linear recurrent unit: complex decays, each the memory of one unit, with a tanh behind (Orvieto et al. 2023).

    State: `re` and `im` [B, H]. Parameters: `nu_log`, `theta_log`, `gamma_log` [H], `input_re`, `input_im` [H, I],
    `output_re`, `output_im` [H, H], `skip` [H, I], `bias` [H].
    """

    cell = "linear-recurrent"


class LinearAttention(Layer):
    """Fast weights from keys and values of the input, which keep and write as gates say: with `rule="delta"` what the
    key already recalls is taken off (gated delta rule, Yang et al. 2025), with `rule="hebbian"` it is not (gated linear
    attention, Yang et al. 2024).

    State: `F` [B, H, H]. Parameters: `weight` [4H+2, I], `bias` [4H+2].
    """

    cell = "linear-attention"


class FrameStack(Layer):
    """A tanh layer that sees the last `frames` inputs as they were, and the time as `position` sines and cosines: no
    memory is learned.

    State: `inputs` [B, frames-1, I], the latest first, and `time` [B, 1]; none of them if it would be empty or unused.
    Parameters: `weight` [H, frames*I + position], `bias` [H].
    """

    cell = "frame-stack"


class MLP(Layer):
    """A layer without memory. Its state is empty."""

    cell = "mlp"
