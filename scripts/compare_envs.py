#!/usr/bin/env python3
"""Environment steps per second: stpn's environments beside the same ones in Gymnasium's AsyncVectorEnv, and Pong beside
ale_py's vector environment, measured in turns in one run.

    cargo xtask setup
    cargo build --release --features atari,mujoco
    pip install 'gymnasium[mujoco]==1.4.0' mujoco==3.17.0 ale-py==0.12.1
    python scripts/compare_envs.py [--threads N] [--environments N …] [--case NAME …] [--markdown docs/environments.md]

Every measurement is repeated; the best counts, as other programs on the machine can only slow one down. Of Gymnasium the
best of several numbers of environments counts, each of which is a process. Actions are random and drawn before. What
stpn's own environments have no counterpart for is measured alone. Run it on an idle machine; it takes five minutes.
"""

import argparse
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import tempfile
import time

import gymnasium
import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Our name, and Gymnasium's.
ENVIRONMENTS = {
    "maze": None,
    "cartpole": "CartPole-v1",
    "pendulum": "Pendulum-v1",
    "mountain-car": "MountainCar-v0",
    "mountain-car-continuous": "MountainCarContinuous-v0",
    "acrobot": "Acrobot-v1",
    "inverted-pendulum": "InvertedPendulum-v5",
    "inverted-double-pendulum": "InvertedDoublePendulum-v5",
    "hopper": "Hopper-v5",
    "half-cheetah": "HalfCheetah-v5",
    "walker2d": "Walker2d-v5",
    "ant": "Ant-v5",
    "humanoid": "Humanoid-v5",
    "reacher": "Reacher-v5",
    "swimmer": "Swimmer-v5",
    "pusher": "Pusher-v5",
    "pong": None,
    "pong-deepmind": "ale_py",
}

# Sets of actions drawn beforehand.
SETS = 64


def make(name):
    """One environment, in a process of its own."""
    # MuJoCo writes its warnings to a file in the working folder.
    os.chdir(tempfile.gettempdir())
    return gymnasium.make(name)


class Asynchronous:
    """Gymnasium's AsyncVectorEnv."""

    def __init__(self, name, count, _threads):
        self.env = gymnasium.vector.AsyncVectorEnv([functools.partial(make, name)] * count)
        self.env.action_space.seed(1)
        self.actions = [self.env.action_space.sample() for _ in range(SETS)]
        self.env.reset(seed=1)

    def step(self, number):
        """Steps every environment."""
        self.env.step(self.actions[number % SETS])

    def close(self):
        """Ends the processes."""
        self.env.close()


class Emulators:
    """ale_py's vector environment with the field's standard preprocessing, without a frame stack."""

    def __init__(self, _name, count, threads):
        from ale_py.vector_env import AtariVectorEnv

        self.env = AtariVectorEnv(
            "pong",
            num_envs=count,
            num_threads=threads,
            stack_num=1,
            frameskip=4,
            repeat_action_probability=0.0,
            episodic_life=True,
            use_fire_reset=True,
        )
        random = numpy.random.default_rng(1)
        self.actions = [random.integers(6, size=count) for _ in range(SETS)]
        self.env.reset(seed=1)

    def step(self, number):
        """Steps every environment."""
        self.env.step(self.actions[number % SETS])

    def close(self):
        """Ends the threads."""
        self.env.close()


def measure(vector, count, seconds):
    """Steps of single environments per second."""
    number, start = 0, time.perf_counter()
    while True:
        for _ in range(4):
            vector.step(number)
            number += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return number * count / elapsed


# What stpn is meant to reach: steps per second on two threads, or a share of the bare simulator's.
GOALS = {"maze": "≥ 5,000,000", "cartpole": "≥ 10,000,000", "pong": "≥ 60 %"}
MUJOCO_GOAL = "≥ 90 %"


def gymnasiums(name, counts, threads, repeats, seconds):
    """The best of Gymnasium, and with how many environments."""
    best = (0.0, 0)
    for count in counts:
        vector = (Emulators if name == "ale_py" else Asynchronous)(name, count, threads)
        measure(vector, count, seconds)
        speed = max(measure(vector, count, seconds) for _ in range(repeats))
        vector.close()
        best = max(best, (speed, count))
    return best


def ours(binary, name, threads, repeats):
    """What `stpn bench envs` measures on one thread and on so many, and where."""
    command = [binary, "bench", "envs", "--case", name, "--json", "--threads", str(threads), "--repeats", str(repeats)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    report = json.loads(output)
    one, row = report["environments"][0], report["environments"][-1]
    row["gain"] = row["steps_per_second"] / one["steps_per_second"]
    return row, report["provenance"]


def versions():
    """Of what was compared with."""
    return {name: importlib.metadata.version(name) for name in ("gymnasium", "mujoco", "ale-py", "numpy")}


def table(rows, threads):
    """The rows in Markdown."""
    lines = [
        f"| environment | stpn steps/s, {threads} threads | times one thread | of the bare simulator | goal "
        "| Gymnasium or ale_py steps/s | times faster |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        name = row["name"]
        share = f"{row['share_of_bare']:.0%}" if "share_of_bare" in row else ""
        goal = GOALS.get(name, MUJOCO_GOAL if str(ENVIRONMENTS[name]).endswith("-v5") else "")
        theirs, ratio = "", ""
        if "ratio" in row:
            count = row["gymnasium_environments"]
            theirs, ratio = f"{row['gymnasium_steps_per_second']:,.0f} (of {count})", f"**{row['ratio']:.1f}**"
        gain = f"{row['gain']:.2f}" if threads > 1 else ""
        lines.append(f"| {name} | {row['steps_per_second']:,.0f} | {gain} | {share} | {goal} | {theirs} | {ratio} |")
    return "\n".join(lines)


def document(rows, provenance, arguments):
    """A page of its own."""
    others = ", ".join(f"{name} {version}" for name, version in versions().items())
    counts = ", ".join(str(count) for count in arguments.environments)
    return f"""# Environment steps per second

{table(rows, arguments.threads)}

Random actions; observations, rewards, endings and resets as in training. A step of `pong` is one frame in the paper's
preprocessing, one of `pong-deepmind` four frames in the field's standard one. The bare simulator is the emulator, or
MuJoCo's `mj_step` with the same starts and controls, on as many threads and without anything around it. Gymnasium's
`AsyncVectorEnv` has a process for each environment and is measured with {counts} of them, of which the best counts;
`pong-deepmind` stands beside `ale_py`'s vector environment with the same preprocessing and as many threads. Everything
in turn in one run, the best of {arguments.repeats} measurements each.

{provenance["processor"]}, {provenance["cores"]} cores, {provenance["system"]}, commit {provenance["commit"]}; {others},
Python {platform.python_version()}. Made by `scripts/compare_envs.py`.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stpn", default=str(ROOT / "target/release/stpn"), help="the program, built with features")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--environments", type=int, nargs="*", default=[2, 8, 16], help="of Gymnasium's vectors")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="of one of Gymnasium's measurements")
    parser.add_argument("--case", action="append", choices=list(ENVIRONMENTS), help="only these environments")
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows to this file")
    parser.add_argument("--markdown", type=pathlib.Path, help="also write a page with the table to this file")
    arguments = parser.parse_args()
    # Making an environment changes the folder.
    for name in ("markdown", "json"):
        if getattr(arguments, name):
            setattr(arguments, name, getattr(arguments, name).resolve())
    rows, provenance = [], None
    for name in arguments.case or ENVIRONMENTS:
        row, provenance = ours(arguments.stpn, name, arguments.threads, arguments.repeats)
        other = ENVIRONMENTS[name]
        if other:
            speed, count = gymnasiums(
                other, arguments.environments, arguments.threads, arguments.repeats, arguments.seconds
            )
            row |= {"gymnasium_steps_per_second": speed, "gymnasium_environments": count}
            row["ratio"] = row["steps_per_second"] / speed
        rows.append(row)
    print(f"\n{table(rows, arguments.threads)}")
    if arguments.json:
        report = {"provenance": provenance, "threads": arguments.threads, "versions": versions(), "environments": rows}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(document(rows, provenance, arguments))


if __name__ == "__main__":
    main()
