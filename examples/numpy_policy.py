#!/usr/bin/env python3
"""Plays a trained agent in Gymnasium with numpy alone: no stpn, no deep-learning library.

    python examples/numpy_policy.py checkpoints/cartpole-masked-stpn --episodes 100

The agent is a run, an exported agent or one checkpoint. Its cell may be STPN, STPNf, LSTM, GRU, RNN, the linear
recurrent unit, linear attention, the delta rule, a stack of frames or MLP; its encoder `identity` or `mlp`. The
equations are those of the book's page "Checkpoint format"; the file is meant to be read beside it, and to be copied
from. Needs Python 3.11, numpy and gymnasium (with its extra `mujoco` for MuJoCo's tasks).
"""

import argparse
import json
import pathlib
import tomllib

import gymnasium
import numpy as np

# The environment's name in a configuration, its name in Gymnasium, and the elements of the observation that are seen.
ENVIRONMENTS = {
    "cartpole": ("CartPole-v1", slice(None)),
    "cartpole-masked": ("CartPole-v1", [0, 2]),
    "pendulum": ("Pendulum-v1", slice(None)),
    "pendulum-masked": ("Pendulum-v1", [0, 1]),
    "mountain-car": ("MountainCar-v0", slice(None)),
    "mountain-car-continuous": ("MountainCarContinuous-v0", slice(None)),
    "mountain-car-continuous-masked": ("MountainCarContinuous-v0", [0]),
    "acrobot": ("Acrobot-v1", slice(None)),
    "inverted-pendulum": ("InvertedPendulum-v5", slice(None)),
    "inverted-double-pendulum": ("InvertedDoublePendulum-v5", slice(None)),
    "hopper": ("Hopper-v5", slice(None)),
    "hopper-masked": ("Hopper-v5", slice(5)),
    "half-cheetah": ("HalfCheetah-v5", slice(None)),
    "walker2d": ("Walker2d-v5", slice(None)),
    "walker2d-masked": ("Walker2d-v5", slice(8)),
    "reacher": ("Reacher-v5", slice(None)),
    "swimmer": ("Swimmer-v5", slice(None)),
}

# Settings of an environment of Gymnasium that would take more than its name.
BEYOND_A_NAME = ("make", "import", "wrappers", "scale_actions")


def find_checkpoint(path):
    """The checkpoint that a path names: itself, or the newest of a run."""
    if (path / "manifest.json").exists():
        return path
    checkpoints = sorted((path / "checkpoints").glob("update-*"))
    if not checkpoints:
        raise SystemExit(f"{path} holds no checkpoint")
    return checkpoints[-1]


def read_safetensors(path):
    """Arrays by name: the length of a JSON header (8 bytes), the header, and the numbers it points into."""
    contents = path.read_bytes()
    length = int.from_bytes(contents[:8], "little")
    header, data = json.loads(contents[8 : 8 + length]), contents[8 + length :]
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            assert entry["dtype"] == "F32", f"{name} is {entry['dtype']}"
            start, end = entry["data_offsets"]
            arrays[name] = np.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
    return arrays


def below(prefix, arrays):
    """The arrays whose name starts with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def layer_norm(v, p):
    """(v − mean) / √(variance + 1e-5) ⊙ gain + offset."""
    return (v - v.mean()) / np.sqrt(v.var() + 1e-5) * p["layer_norm.weight"] + p["layer_norm.bias"]


def row_norms(matrix):
    """‖·‖ of every row, as a column."""
    return np.sqrt((matrix**2).sum(axis=1, keepdims=True)) + 1e-16


class Stpn:
    """G = W + F;  h' = tanh(G z / ‖G‖ + b);  F' = λ ⊙ F/‖G‖ + γ ⊙ (h' ⊗ z), with z = [x ; h], or x for STPNf."""

    def __init__(self, options, p, inputs, hidden):
        self.o, self.p = options, p
        columns = {"all": slice(None), "input": slice(0, inputs), "recurrent": slice(inputs, None)}
        self.plastic = columns[options["plastic"]]
        self.h = np.zeros(hidden, np.float32)
        self.F = np.zeros_like(p["weight"][:, self.plastic])
        self.bias_F = np.zeros(hidden, np.float32)

    def effective(self, F):
        G = self.p["weight"].copy()
        G[:, self.plastic] += F
        return G

    def step(self, x):
        o, p = self.o, self.p
        z = np.concatenate([x, self.h]) if o["recurrent"] else x
        G = self.effective(self.F)
        pre = G @ z
        if o["normalize_forward"]:
            pre = pre / row_norms(G)[:, 0]
        pre = pre + p.get("bias", 0) + self.bias_F
        h = np.tanh(layer_norm(pre, p) if o["layer_norm"] else pre)

        F = self.F
        if o["normalize_state"] == "before":
            F = F / row_norms(G if o["norm_of"] == "G" else F)
        source = z[self.plastic]
        if o["rule"] == "oja":
            source = source - h @ F
        growth = p["gamma"] * np.outer(h, source)
        F = p["lambda"] * F + growth if o["decay"] == "old" else p["lambda"] * (F + growth)
        if "clamp" in o:
            F = F.clip(-o["clamp"], o["clamp"])
        if o["normalize_state"] == "after":
            F = F / row_norms(self.effective(F) if o["norm_of"] == "G" else F)
        if o["plastic_bias"]:
            self.bias_F = p["bias_lambda"] * self.bias_F + p["bias_gamma"] * h
        self.h, self.F = h, F
        return h


class Lstm:
    """i, f, g, o = W [x ; h] + b in four blocks;  c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g);  h' = σ(o) ⊙ tanh(c')."""

    def __init__(self, options, p, inputs, hidden):
        self.o, self.p = options, p
        self.h = self.c = np.zeros(hidden, np.float32)

    def step(self, x):
        o, p = self.o, self.p
        if o["split"]:
            pre = p["weight_ih"] @ x + p["bias_ih"] + p["weight_hh"] @ self.h + p["bias_hh"]
        else:
            pre = p["weight"] @ np.concatenate([x, self.h]) + p["bias"]
        i, f, g, out = np.split(layer_norm(pre, p) if o["layer_norm"] else pre, 4)
        self.c = sigmoid(f) * self.c + sigmoid(i) * np.tanh(g)
        self.h = sigmoid(out) * np.tanh(self.c)
        return self.h


class Gru:
    """PyTorch's, with the gates r, z and n in this order: h' = (1 − z) ⊙ n + z ⊙ h."""

    def __init__(self, options, p, inputs, hidden):
        self.p = p
        self.h = np.zeros(hidden, np.float32)

    def step(self, x):
        p = self.p
        r, z, n = np.split(p["weight_ih"] @ x + p["bias_ih"], 3)
        r_h, z_h, n_h = np.split(p["weight_hh"] @ self.h + p["bias_hh"], 3)
        z = sigmoid(z + z_h)
        self.h = (1 - z) * np.tanh(n + sigmoid(r + r_h) * n_h) + z * self.h
        return self.h


class Rnn:
    """h' = tanh(W [x ; h] + b). A joined W is stored as [I+H, H], a split one as [H, I] and [H, H]."""

    def __init__(self, options, p, inputs, hidden):
        self.o, self.p = options, p
        self.h = np.zeros(hidden, np.float32)

    def step(self, x):
        p = self.p
        if self.o["split"]:
            pre = p["weight_ih"] @ x + p["weight_hh"] @ self.h
        else:
            pre = np.concatenate([x, self.h]) @ p["weight"]
        self.h = np.tanh(pre + p["bias"])
        return self.h


class LinearRecurrent:
    """s' = λ ⊙ s + g ⊙ (B x);  h' = tanh(Re(C s') + D x + b), with λ, s, B and C complex."""

    def __init__(self, options, p, inputs, hidden):
        self.p = p
        self.re = self.im = np.zeros(hidden, np.float32)

    def step(self, x):
        p = self.p
        r, theta, g = np.exp(-np.exp(p["nu_log"])), np.exp(p["theta_log"]), np.exp(p["gamma_log"])
        a, b = r * np.cos(theta), r * np.sin(theta)
        re = a * self.re - b * self.im + g * (p["input_re"] @ x)
        im = a * self.im + b * self.re + g * (p["input_im"] @ x)
        self.re, self.im = re, im
        return np.tanh(p["output_re"] @ re - p["output_im"] @ im + p["skip"] @ x + p["bias"])


class LinearAttention:
    """F' = α F + β (v − α F k̂) ⊗ k̂, with the rule `hebbian` α F + β v ⊗ k̂;  h' = tanh(F' q̂ + s)."""

    def __init__(self, options, p, inputs, hidden):
        self.o, self.p, self.hidden = options, p, hidden
        self.F = np.zeros((hidden, hidden), np.float32)

    def step(self, x):
        rows = self.p["weight"] @ x + self.p["bias"]
        q, k, v, s = rows[: 4 * self.hidden].reshape(4, self.hidden)
        beta, alpha = sigmoid(rows[-2]), sigmoid(rows[-1]) ** (1 / 16)
        q, k = (u / np.sqrt(u @ u + 1e-6) for u in (q, k))
        F = alpha * self.F
        self.F = F + np.outer(beta * (v - F @ k if self.o["rule"] == "delta" else v), k)
        return np.tanh(self.F @ q + s)


class FrameStack:
    """h' = tanh(W [x ; inputs before ; p(t)] + b), with p(t) = sin ω t, cos ω t of one ω after the other."""

    def __init__(self, options, p, inputs, hidden):
        self.p = p
        self.inputs, self.time = np.zeros((options["frames"] - 1, inputs), np.float32), np.zeros(1, np.float32)
        features = options["position"]
        self.omega = 10000.0 ** (-2 * np.arange(features // 2) / max(features, 1))

    def step(self, x):
        angles = self.omega * self.time
        position = np.stack([np.sin(angles), np.cos(angles)], 1).ravel().astype(x.dtype)
        seen = np.concatenate([x, self.inputs.ravel(), position])
        self.inputs = np.concatenate([x[None], self.inputs])[: len(self.inputs)]
        self.time = self.time + 1
        return np.tanh(self.p["weight"] @ seen + self.p["bias"])


class Mlp:
    """h' = activation(W x + b), without memory."""

    def __init__(self, options, p, inputs, hidden):
        self.activation, self.p = ACTIVATIONS[options["activation"]], p

    def step(self, x):
        return self.activation(self.p["weight"] @ x + self.p["bias"])


ACTIVATIONS = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0)}
CELLS = {
    "stpn": Stpn,
    "lstm": Lstm,
    "gru": Gru,
    "rnn": Rnn,
    "linear-recurrent": LinearRecurrent,
    "linear-attention": LinearAttention,
    "frame-stack": FrameStack,
    "mlp": Mlp,
}


class Agent:
    """A policy with its memory."""

    def __init__(self, path):
        checkpoint = find_checkpoint(path)
        self.config = tomllib.loads((checkpoint / "config.toml").read_text())
        self.normalization = json.loads((checkpoint / "progress.json").read_text()).get("normalization")
        self.parameters = read_safetensors(checkpoint / "parameters.safetensors")
        policy = self.config["policy"]
        kind = policy["cell"].get("kind") or policy["cell"].get("name")
        if kind not in CELLS or policy["encoder"]["name"] not in ("identity", "mlp"):
            known = f"cells {', '.join(CELLS)}, encoders identity, mlp"
            raise SystemExit(f"cell {kind} with encoder {policy['encoder']['name']}: this example knows {known}")
        self.cell_class = CELLS[kind]

    def begin_episode(self, inputs):
        """Forgets everything: every state is zero at the start of an episode."""
        policy = self.config["policy"]
        if policy["encoder"]["name"] == "mlp":
            inputs = policy["encoder"]["sizes"][-1]
        self.cell = self.cell_class(policy["cell"], below("cell.", self.parameters), inputs, policy["hidden"])

    def normalized(self, observation):
        if not self.normalization or not self.normalization["observations"]:
            return observation
        clip, seen = self.normalization["clip"], self.normalization["observations"]
        mean = np.array([s["mean"] for s in seen])
        variance = np.array([s["deviations"] / s["count"] if s["count"] else 1.0 for s in seen])
        return ((observation - mean) / np.sqrt(variance + 1e-8)).astype(np.float32).clip(-clip, clip)

    def encoded(self, x):
        encoder = self.config["policy"]["encoder"]
        if encoder["name"] == "mlp":
            for layer in range(1, len(encoder["sizes"]) + 1):
                p = below(f"encoder.layer{layer}.", self.parameters)
                x = ACTIVATIONS[encoder["activation"]](p["weight"] @ x + p["bias"])
        return x * np.float32(self.config["policy"].get("input_scale", 1.0))

    def act(self, observation, space, rng, deterministic):
        """The action after one more observation."""
        h = self.cell.step(self.encoded(self.normalized(observation)))
        outputs = self.parameters["policy.weight"] @ h + self.parameters["policy.bias"]
        if isinstance(space, gymnasium.spaces.Discrete):
            weights = np.exp(outputs.astype(np.float64) - outputs.max())
            choice = outputs.argmax() if deterministic else rng.choice(len(outputs), p=weights / weights.sum())
            return int(space.start + choice)
        gaussian, size = self.config["policy"]["gaussian"], space.shape[0]
        mean = outputs[:size]
        if gaussian["std"] == "softplus":
            deviation = np.logaddexp(0, outputs[size:]) + 1e-4
        else:
            deviation = np.exp(self.parameters["policy.log_std"])
        u = mean if deterministic else mean + deviation * rng.standard_normal(size)
        if gaussian["squash"]:
            u = space.low + 0.5 * (space.high - space.low) * (np.tanh(u) + 1)
        return np.clip(u, space.low, space.high).astype(space.dtype)


def make(settings):
    """The environment of a configuration, and which elements of its observation the agent sees."""
    if settings["name"] == "gymnasium" and not any(settings.get(key) for key in BEYOND_A_NAME):
        name, seen, kwargs = settings["id"], settings.get("keep") or slice(None), settings.get("kwargs", {})
    elif settings["name"] in ENVIRONMENTS:
        (name, seen), kwargs = ENVIRONMENTS[settings["name"]], {}
    else:
        raise SystemExit(f"environment {settings['name']}: this example knows {', '.join(ENVIRONMENTS)}, and gymnasium")
    env = gymnasium.make(name, max_episode_steps=settings.get("max_episode_steps"), **kwargs)
    spaces = gymnasium.spaces
    known = isinstance(env.observation_space, spaces.Box) and isinstance(env.action_space, (spaces.Box, spaces.Discrete))
    if not known or len(env.observation_space.shape) != 1:
        raise SystemExit(f"{name}: this example knows vectors to observe, and Discrete and Box to act in")
    return env, seen


def play(agent, episodes, seed, deterministic):
    """Returns of that many episodes."""
    env, seen = make(agent.config["env"])
    rng = np.random.default_rng(seed)
    returns = []
    for episode in range(episodes):
        observation, _ = env.reset(seed=seed + episode)
        agent.begin_episode(len(observation[seen]))
        over, total = False, 0.0
        while not over:
            action = agent.act(observation[seen].astype(np.float32), env.action_space, rng, deterministic)
            observation, reward, terminated, truncated, _ = env.step(action)
            total += float(reward)
            over = terminated or truncated
        returns.append(total)
    return np.array(returns)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("agent", type=pathlib.Path, help="a run, an exported agent or one checkpoint")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deterministic", action="store_true", help="the most probable action in place of a sample")
    arguments = parser.parse_args()
    returns = play(Agent(arguments.agent), arguments.episodes, arguments.seed, arguments.deterministic)
    deviation = returns.std(ddof=1) if len(returns) > 1 else 0.0
    print(f"mean return {returns.mean():.2f}, standard deviation {deviation:.2f}, {len(returns)} episodes")


if __name__ == "__main__":
    main()
