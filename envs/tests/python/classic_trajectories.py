"""Records trajectories of Gymnasium's classic-control environments, for envs/tests/built_in/classic_gymnasium.rs.

    pip install gymnasium
    python classic_trajectories.py DIRECTORY [--seed N]

Writes one JSON file an environment: start states, actions, and after each step the 64-bit state, the observation,
the reward and the two end flags. The Rust test reads the committed copy, or the directory named by the environment
variable STPN_TRAJECTORIES.
"""

import argparse
import json
import pathlib

import gymnasium
import numpy

# Gymnasium's name, and for each trajectory the largest number of steps and how its actions are chosen.
ENVIRONMENTS = {
    "cartpole": ("CartPole-v1", [(200, "random")] * 4 + [(130, "balance")]),
    "pendulum": ("Pendulum-v1", [(60, "random"), (60, "bounds"), (200, "random")]),
    "mountain-car": ("MountainCar-v0", [(60, "random"), (200, "swing"), (200, "random")]),
    "mountain-car-continuous": ("MountainCarContinuous-v0", [(60, "random"), (150, "swing")]),
    "acrobot": ("Acrobot-v1", [(40, "random"), (120, "pump"), (60, "random")]),
}


def short(number):
    """A 32-bit number with no more digits than it needs."""
    return float(str(numpy.float32(number)))


def start_state(name, random):
    """A start state, in part far from where resets begin."""
    if name == "cartpole":
        return random.uniform(-0.05, 0.05, 4)
    if name == "pendulum":
        return random.uniform([-numpy.pi, -8.0], [numpy.pi, 8.0])
    if name == "mountain-car":
        return numpy.array([random.uniform(-0.6, -0.4), 0.0])
    if name == "mountain-car-continuous":
        # The one state that Gymnasium keeps in 32 bits, after the first step.
        return numpy.array([random.uniform(-0.6, -0.4), 0.0], dtype=numpy.float32)
    return random.uniform(-1.0, 1.0, 4)


def choose(how, space, state, random):
    """The next action."""
    if how == "balance":
        return int(state[2] + 0.3 * state[3] + 0.02 * state[0] + 0.05 * state[1] > 0)
    if how == "pump":
        return int(1 + numpy.sign(state[3]))
    if how == "swing":
        push = numpy.sign(state[1])
        return int(1 + push) if hasattr(space, "n") else [float(push)]
    if hasattr(space, "n"):
        return int(random.integers(space.n))
    # Beyond the bounds too, where the environment clips.
    width = 1.5 if how == "bounds" else 1.0
    return [short(random.uniform(space.low[0], space.high[0]) * width)]


def record(name, make, limit, how, random):
    """One trajectory, to its end or `limit` steps."""
    env = gymnasium.make(make)
    env.reset(seed=0)
    start = start_state(name, random)
    env.unwrapped.state = start.copy()
    trajectory = {"start": start.tolist(), "steps": []}
    for _ in range(limit):
        action = choose(how, env.action_space, env.unwrapped.state, random)
        sent = action if isinstance(action, int) else numpy.array(action, dtype=numpy.float32)
        observation, reward, terminated, truncated, _ = env.step(sent)
        trajectory["steps"].append(
            {
                "action": action,
                "state": [float(number) for number in env.unwrapped.state],
                "observation": [short(number) for number in observation],
                "reward": float(reward),
                "terminated": bool(terminated),
                "truncated": bool(truncated),
            }
        )
        if terminated or truncated:
            break
    env.close()
    return trajectory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for name, (make, plan) in ENVIRONMENTS.items():
        random = numpy.random.default_rng(arguments.seed)
        content = {
            "environment": make,
            "gymnasium": gymnasium.__version__,
            "trajectories": [record(name, make, limit, how, random) for limit, how in plan],
        }
        path = arguments.directory / f"{name}.json"
        # One step a line: readable, and small changes stay small.
        text = json.dumps(content).replace('{"action"', '\n{"action"') + "\n"
        path.write_text(text)
        steps = [len(trajectory["steps"]) for trajectory in content["trajectories"]]
        print(f"{path}: {steps} steps, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
