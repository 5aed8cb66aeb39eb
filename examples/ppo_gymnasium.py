#!/usr/bin/env python3
"""Recurrent PPO in one file, in the manner of CleanRL: `gymnasium.make_vec`, a layer of `stpn.torch`, torch's Adam.

    pip install gymnasium torch    # and the package stpn: see docs/python.md
    python examples/ppo_gymnasium.py [--env stpn/CartPoleMasked-v0] [--steps 300000]

The environments begin the next episode in the step that ends one; the layer forgets by its argument `resets`. Learning
is on whole sequences, from the states that the rollout began with.
"""

import argparse
import time

import gymnasium
import numpy as np
import stpn.torch
import torch
from torch import nn
from torch.distributions import Categorical

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--env", default="stpn/CartPoleMasked-v0")
parser.add_argument("--steps", type=int, default=300_000, help="of all environments together")
parser.add_argument("--environments", type=int, default=16)
parser.add_argument("--length", type=int, default=128, help="steps of a rollout")
parser.add_argument("--hidden", type=int, default=64)
parser.add_argument("--epochs", type=int, default=4)
parser.add_argument("--minibatches", type=int, default=4)
parser.add_argument("--rate", type=float, default=1e-3)
parser.add_argument("--gamma", type=float, default=0.99)
parser.add_argument("--gae", type=float, default=0.95)
parser.add_argument("--clip", type=float, default=0.2)
parser.add_argument("--reward-scale", type=float, default=0.02, help="keeps values, which share the layer, near 1")
parser.add_argument("--seed", type=int, default=1)
o = parser.parse_args()

torch.manual_seed(o.seed)
envs = gymnasium.make_vec(o.env, num_envs=o.environments, vectorization_mode="vector_entry_point")
inputs, actions = envs.single_observation_space.shape[0], int(envs.single_action_space.n)


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = stpn.torch.STPN(inputs, o.hidden)
        self.policy, self.value = nn.Linear(o.hidden, actions), nn.Linear(o.hidden, 1)

    def forward(self, observations, state, starts):
        """Distributions and values `[T, B]` of observations `[T, B, I]`, and the state after them."""
        hidden, state = self.cell(observations, state, starts)
        return Categorical(logits=self.policy(hidden)), self.value(hidden).squeeze(-1), state


agent = Agent()
optimizer = torch.optim.Adam(agent.parameters(), lr=o.rate, eps=1e-5)
observation, _ = envs.reset(seed=o.seed)
start, state = np.ones(o.environments, bool), agent.cell.zero_state(o.environments)
returns, finished, begin = np.zeros(o.environments), [], time.perf_counter()

for update in range(1, o.steps // (o.environments * o.length) + 1):
    begun_with = type(state)(*(field.detach() for field in state))
    seen, starts, acts, log_probs, values, rewards, ends = [], [], [], [], [], [], []
    for _ in range(o.length):
        seen.append(torch.as_tensor(observation))
        starts.append(torch.as_tensor(start))
        with torch.no_grad():
            chosen, value, state = agent(seen[-1][None], state, starts[-1][None])
            action = chosen.sample()
        observation, reward, terminated, truncated, _ = envs.step(action[0].numpy())
        start = terminated | truncated
        acts.append(action[0])
        log_probs.append(chosen.log_prob(action)[0])
        values.append(value[0])
        rewards.append(o.reward_scale * torch.as_tensor(reward, dtype=torch.float32))
        ends.append(torch.as_tensor(start))
        returns += reward
        finished += returns[start].tolist()
        returns[start] = 0
    with torch.no_grad():
        following = agent(torch.as_tensor(observation)[None], state, torch.as_tensor(start)[None])[1][0]
    advantages, advantage = [], torch.zeros(o.environments)
    for t in reversed(range(o.length)):
        goes_on = (~ends[t]).float()
        advantage = rewards[t] + o.gamma * following * goes_on - values[t] + o.gamma * o.gae * goes_on * advantage
        following = values[t]
        advantages.insert(0, advantage)
    seen, starts, acts, log_probs, values, advantages = map(
        torch.stack, (seen, starts, acts, log_probs, values, advantages)
    )
    targets = advantages + values
    for _ in range(o.epochs):
        for part in torch.randperm(o.environments).chunk(o.minibatches):
            chosen, value, _ = agent(seen[:, part], [field[part] for field in begun_with], starts[:, part])
            ratio = (chosen.log_prob(acts[:, part]) - log_probs[:, part]).exp()
            gain = advantages[:, part]
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
            policy_loss = -torch.min(ratio * gain, ratio.clamp(1 - o.clip, 1 + o.clip) * gain).mean()
            loss = policy_loss + 0.5 * (value - targets[:, part]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
    if update % 10 == 0 and finished:
        steps = update * o.environments * o.length
        speed = steps / (time.perf_counter() - begin)
        print(f"{steps} steps  mean return {np.mean(finished[-100:]):.1f}  {speed:,.0f} steps/s", flush=True)

print(f"mean return of the last episodes {np.mean(finished[-100:] or [0]):.1f}")
