"""Records trajectories of Gymnasium's MuJoCo environments, for envs/tests/mujoco/gymnasium.rs.

    pip install 'gymnasium[mujoco]==1.4.0' mujoco==3.17.0
    python mujoco_trajectories.py DIRECTORY [--steps N] [--seed N]

Writes one JSON file a task: for its default options and for others, N steps in as many episodes as that takes, each
from the start that Gymnasium drew. A step holds the action, the simulator's state and the 64-bit observation after it,
the reward and the two end flags. `cargo xtask check` records and compares 1,000 steps; the committed copy has fewer.
"""

import argparse
import json
import math
import os
import pathlib

import gymnasium
import mujoco
import numpy

TIGHT = (0.95, 1.3)
NEARLY_ALL = {"exclude_current_positions_from_observation": False, "reset_noise_scale": 0.02}

# Our name, Gymnasium's, and options other than the default ones.
ENVIRONMENTS = {
    "inverted-pendulum": ("InvertedPendulum-v5", {"frame_skip": 1, "reset_noise_scale": 0.1, "max_episode_steps": 5}),
    "inverted-double-pendulum": ("InvertedDoublePendulum-v5", {"healthy_reward": 3.3, "max_episode_steps": 4}),
    "hopper": (
        "Hopper-v5",
        NEARLY_ALL
        | {"healthy_z_range": TIGHT, "healthy_angle_range": (-0.05, 0.1), "healthy_state_range": (-2.0, 1.5)}
        | {"forward_reward_weight": 0.7, "ctrl_cost_weight": 0.3, "healthy_reward": 2.5},
    ),
    "half-cheetah": (
        "HalfCheetah-v5",
        NEARLY_ALL | {"forward_reward_weight": 0.7, "ctrl_cost_weight": 0.3, "frame_skip": 2, "max_episode_steps": 70},
    ),
    "walker2d": (
        "Walker2d-v5",
        NEARLY_ALL
        | {"healthy_z_range": TIGHT, "healthy_angle_range": (-0.3, 0.2), "terminate_when_unhealthy": False}
        | {"forward_reward_weight": 0.7, "ctrl_cost_weight": 0.3, "healthy_reward": 2.5, "max_episode_steps": 70},
    ),
    "ant": (
        "Ant-v5",
        NEARLY_ALL
        | {"healthy_z_range": (0.3, math.inf), "contact_force_range": (-0.5, 4.0), "contact_cost_weight": 0.01}
        | {"forward_reward_weight": 0.7, "ctrl_cost_weight": 0.3, "healthy_reward": 2.5, "main_body": "aux_1"}
        | {"include_cfrc_ext_in_observation": False},
    ),
    "humanoid": (
        "Humanoid-v5",
        NEARLY_ALL
        | {"healthy_z_range": TIGHT, "contact_cost_range": (0.2, 1.5), "contact_cost_weight": 1e-4}
        | {"forward_reward_weight": 0.7, "ctrl_cost_weight": 0.3, "healthy_reward": 2.5, "frame_skip": 3}
        | {"include_cinert_in_observation": False, "include_cfrc_ext_in_observation": False}
        | {"terminate_when_unhealthy": False, "max_episode_steps": 70},
    ),
    "reacher": ("Reacher-v5", {"reward_dist_weight": 0.7, "reward_control_weight": 0.3, "frame_skip": 3}),
    "swimmer": (
        "Swimmer-v5",
        NEARLY_ALL | {"forward_reward_weight": 0.7, "ctrl_cost_weight": 0.3, "max_episode_steps": 70},
    ),
    "pusher": (
        "Pusher-v5",
        {"reward_near_weight": 0.7, "reward_dist_weight": 1.3, "reward_control_weight": 0.3, "max_episode_steps": 40},
    ),
}


def ours(value):
    """An option as our configuration has it."""
    if isinstance(value, tuple):
        return {key: bound for key, bound in zip(("min", "max"), value) if math.isfinite(bound)}
    return value


def short(number):
    """A 32-bit number with no more digits than it needs."""
    return float(str(numpy.float32(number)))


def state(data):
    """The simulator's state."""
    return {"positions": data.qpos.tolist(), "velocities": data.qvel.tolist(), "warm_start": data.qacc_warmstart.tolist()}


def record(make, options, steps, random):
    """Episodes of `steps` steps altogether."""
    env = gymnasium.make(make, **options)
    data, space = env.unwrapped.data, env.action_space
    seed, episodes = int(random.integers(2**31)), []
    while steps > 0:
        observation, _ = env.reset(seed=seed)
        seed = None
        episode = {"start": state(data), "observation": observation.tolist(), "steps": []}
        episodes.append(episode)
        done = False
        while steps > 0 and not done:
            # Beyond the bounds too, where the simulator clamps and costs do not.
            action = [short(number) for number in random.uniform(space.low, space.high) * 1.25]
            observation, reward, terminated, truncated, _ = env.step(numpy.array(action, dtype=numpy.float32))
            step = {"action": action} | state(data) | {"observation": observation.tolist(), "reward": float(reward)}
            episode["steps"].append(step | {"terminated": bool(terminated), "truncated": bool(truncated)})
            done = terminated or truncated
            steps -= 1
    env.close()
    return {"options": {key: ours(value) for key, value in options.items()}, "episodes": episodes}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    # MuJoCo writes its warnings to a file in the working folder.
    os.chdir(arguments.directory)
    for name, (make, options) in ENVIRONMENTS.items():
        random = numpy.random.default_rng(arguments.seed)
        runs = [record(make, chosen, arguments.steps, random) for chosen in ({}, options)]
        versions = {"gymnasium": gymnasium.__version__, "mujoco": mujoco.__version__}
        path = pathlib.Path(f"{name}.json")
        # One step a line: readable, and small changes stay small.
        text = json.dumps({"environment": make, **versions, "runs": runs}).replace('{"action"', '\n{"action"') + "\n"
        path.write_text(text)
        episodes = [len(run["episodes"]) for run in runs]
        print(f"{path}: {len(runs)} runs of {arguments.steps} steps, {episodes} episodes, {len(text)} bytes")


if __name__ == "__main__":
    main()
