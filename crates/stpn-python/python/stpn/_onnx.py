"""An agent's network as an ONNX model: one step, with the state in and out."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any, Dict, Tuple

import torch
from torch import nn

from .policy import Policy

OPSET = 17
"""The version of the standard operations: the first with layer normalisation."""

INPUTS = ["observation", "state", "episode_start"]
OUTPUTS = ["action", "policy", "value", "state_out"]


class _Step(nn.Module):
    """What the model computes."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.network = policy

    def forward(
        self, observation: torch.Tensor, state: torch.Tensor, episode_start: torch.Tensor
    ) -> Tuple[torch.Tensor, ...]:
        policy, value, after = self.network(observation, state, episode_start)
        return self.network.mode(policy), policy, value, after


def export(policy: Policy, path: Path) -> None:
    """Writes the model."""
    space = policy.observations
    # Of a batch of one, some operations would leave the batch out.
    batch = 2
    observation = torch.from_numpy(space.buffer(batch))
    arguments = (observation, torch.zeros(batch, policy.state_size), torch.ones(batch, dtype=torch.bool))
    options: Dict[str, Any] = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    step = _Step(policy).eval()
    with warnings.catch_warnings():
        # Of shapes that are checked in Python, and of the exporter's age.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                step,
                arguments,
                str(path),
                input_names=INPUTS,
                output_names=OUTPUTS,
                dynamic_axes={name: {0: "batch"} for name in INPUTS + OUTPUTS},
                opset_version=OPSET,
                **options,
            )
        except ImportError as error:
            raise ImportError(f"{error}: this PyTorch writes ONNX with: pip install onnx onnxscript") from error
