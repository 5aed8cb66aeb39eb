#!/usr/bin/env python3
"""One training step in plain PyTorch, timed: what `stpn bench updates` is compared with.

    python3 -m venv .torch && .torch/bin/pip install torch numpy      (about 5 GB on disk)
    .torch/bin/python benches/torch_stpn.py --case maze --scale 0.5

`scripts/compare_with_torch.py` does both, runs ours beside it and prints the ratios.

A step is what one update does to the network: forward over the sequence, policy and value heads, the actor-critic
loss, backward, clipping of the gradient's norm, Adam; on random inputs of the task's shape. Prints one JSON object.
"""

import argparse
import json
import math
import platform
import resource
import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Case:
    """Shapes of one task: `observation` is (features,) or (channels, height, width)."""

    steps: int
    batch: int
    observation: tuple
    hidden: int
    actions: int
    cell: str
    options: dict


CASES = {
    "maze": Case(200, 512, (17,), 55, 4, "stpn", {"normalize": "after", "bound": 1.0}),
    "maze-lstm": Case(200, 512, (17,), 47, 4, "lstm", {}),
    "maze-gru": Case(200, 512, (17,), 54, 4, "gru", {}),
    "art": Case(9, 128, (37,), 11, 37, "stpn", {"normalize": "before"}),
    "art-lstm": Case(9, 128, (37,), 9, 37, "lstm", {}),
    "pong": Case(50, 64, (1, 84, 84), 64, 6, "stpn", {"normalize": "before"}),
    "pong-lstm": Case(50, 64, (1, 84, 84), 48, 6, "lstm", {}),
    "pendulum": Case(20, 103, (4,), 64, 2, "stpn", {"recurrent": False, "bound": 0.1}),
}


class ShortTermPlasticity(nn.Module):
    """h = tanh((W + F) z / |W + F| + b), F <- lambda F + gamma h z^T, with z = (x, h) where recurrent.

    `normalize` says where rows of the state are divided by |W + F|: "before" the update, "after" it, or nowhere (and
    then the activity is not normalised either); `bound` limits the elements of F.
    """

    def __init__(self, inputs, hidden, normalize=None, bound=None, recurrent=True):
        super().__init__()
        self.hidden, self.normalize, self.bound, self.recurrent = hidden, normalize, bound, recurrent
        self.presynaptic = inputs + (hidden if recurrent else 0)
        shape, scale = (hidden, self.presynaptic), hidden**-0.5
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-scale, scale))
        self.bias = nn.Parameter(torch.empty(hidden).uniform_(-scale, scale))
        self.retention = nn.Parameter(torch.empty(shape).uniform_(0, 1))
        self.plasticity = nn.Parameter(torch.empty(shape).uniform_(-scale / 1000, scale / 1000))

    def zero_state(self, batch):
        zeros = self.weight.new_zeros
        return zeros(batch, self.hidden), zeros(batch, self.hidden, self.presynaptic)

    def norm(self, fast: Tensor) -> Tensor:
        return torch.linalg.vector_norm(self.weight + fast, dim=-1, keepdim=True) + 1e-16

    def forward(self, x: Tensor, state):
        h, fast = state
        z = torch.cat((x, h), dim=1) if self.recurrent else x
        total = self.weight + fast
        drive = torch.matmul(total, z.unsqueeze(-1)).squeeze(-1)
        if self.normalize:
            norm = torch.linalg.vector_norm(total, dim=-1, keepdim=True) + 1e-16
            drive = drive / norm.squeeze(-1)
            if self.normalize == "before":
                fast = fast / norm
        h = torch.tanh(drive + self.bias)
        fast = self.retention * fast + self.plasticity * (h.unsqueeze(-1) * z.unsqueeze(1))
        if self.bound is not None:
            fast = fast.clamp(-self.bound, self.bound)
        if self.normalize == "after":
            fast = fast / self.norm(fast)
        return h, (h, fast)


class Lstm(nn.Module):
    """A cell stepped from outside, as agents need it whose episodes end inside sequences."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.hidden, self.cell = hidden, nn.LSTMCell(inputs, hidden)

    def zero_state(self, batch):
        zeros = self.cell.weight_hh.new_zeros
        return zeros(batch, self.hidden), zeros(batch, self.hidden)

    def forward(self, x: Tensor, state):
        h, c = self.cell(x, state)
        return h, (h, c)


class Gru(nn.Module):
    """As [`Lstm`], with one state."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.hidden, self.cell = hidden, nn.GRUCell(inputs, hidden)

    def zero_state(self, batch):
        return (self.cell.weight_hh.new_zeros(batch, self.hidden),)

    def forward(self, x: Tensor, state):
        h = self.cell(x, state[0])
        return h, (h,)


class Agent(nn.Module):
    """Encoder (convolutions for images), recurrent cell, policy and value heads."""

    def __init__(self, case: Case):
        super().__init__()
        self.encoder, features = nn.Identity(), case.observation[0]
        if len(case.observation) == 3:
            channels = case.observation[0]
            self.encoder = nn.Sequential(
                nn.Conv2d(channels, 16, kernel_size=8, stride=4), nn.ReLU(),
                nn.Conv2d(16, 32, kernel_size=4, stride=2), nn.ReLU(), nn.Flatten(),
            )  # fmt: skip
            with torch.no_grad():
                features = self.encoder(torch.zeros(1, *case.observation)).shape[1]
        cell = {"stpn": ShortTermPlasticity, "lstm": Lstm, "gru": Gru}[case.cell]
        self.cell = cell(features, case.hidden, **case.options)
        self.policy, self.value = nn.Linear(case.hidden, case.actions), nn.Linear(case.hidden, 1)

    def forward(self, observations: Tensor):
        state = self.cell.zero_state(observations.shape[1])
        activities = []
        for observation in observations:
            h, state = self.cell(self.encoder(observation), state)
            activities.append(h)
        activities = torch.stack(activities)
        return self.policy(activities), self.value(activities).squeeze(-1)


def actor_critic_loss(logits: Tensor, values: Tensor, actions: Tensor, returns: Tensor) -> Tensor:
    advantages = returns - values
    log_probs = -functional.cross_entropy(logits.flatten(0, 1), actions.flatten(), reduction="none")
    return (0.1 * advantages.square().flatten() - log_probs * advantages.detach().flatten()).mean()


def processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the batch, where memory is short")
    parser.add_argument("--warmup", type=int, default=4, help="steps not counted: the allocator settles late")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    case = CASES[options.case]
    batch = max(1, round(case.batch * options.scale))
    device = torch.device(options.device)
    on_gpu = device.type == "cuda"
    agent = Agent(case).to(device)
    observations = torch.rand(case.steps, batch, *case.observation, device=device)
    actions = torch.randint(case.actions, (case.steps, batch), device=device)
    returns = torch.rand(case.steps, batch, device=device)
    optimizer = torch.optim.Adam(agent.parameters(), lr=1e-4)

    seconds = []
    for _ in range(options.warmup + options.repeats):
        start = time.perf_counter()
        loss = actor_critic_loss(*agent(observations), actions, returns)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(agent.parameters(), 4.0)
        optimizer.step()
        if on_gpu:
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    counted = seconds[options.warmup :]
    if not math.isfinite(loss.item()):
        raise SystemExit(f"{options.case}: the loss is {loss.item()}")

    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if on_gpu:
        peak_mib = torch.cuda.max_memory_allocated(device) / 2**20
    synapses = agent.cell.weight.numel() if case.cell == "stpn" else 0
    median = statistics.median(counted)
    print(json.dumps({
        "case": options.case,
        "threads": options.threads,
        "batch": batch,
        "scale": batch / case.batch,
        "seconds": median,
        "seconds_min": min(counted),
        "env_steps_per_second": case.steps * batch / median,
        "synapse_steps": case.steps * batch * synapses,
        "peak_mib": peak_mib,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": torch.cuda.get_device_name(device) if on_gpu else processor(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
