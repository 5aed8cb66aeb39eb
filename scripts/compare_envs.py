#!/usr/bin/env python3
"""Environment steps per second: stpn's environments beside the same ones in Gymnasium's AsyncVectorEnv, and Pong beside
ale_py's vector environment, measured in turns in one run.

    cargo xtask setup
    cargo build --release --features atari,mujoco
    pip install 'gymnasium[mujoco]==1.4.0' mujoco==3.17.0 ale-py==0.12.1
    python scripts/compare_envs.py [--threads N] [--environments N …] [--case NAME …] [--json FILE]

Every measurement is repeated; the best counts, as other programs on the machine can only slow one down. Of Gymnasium the
best of several numbers of environments counts, each of which is a process. Actions are random and drawn before. What
stpn's own environments have no counterpart for is measured alone. Run it on an idle machine.
"""

import argparse
import functools
import json
import os
import pathlib
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
    """What `stpn bench envs` measures on that many threads, and where."""
    command = [binary, "bench", "envs", "--case", name, "--json", "--threads", str(threads), "--repeats", str(repeats)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    report = json.loads(output)
    row = next(row for row in report["environments"] if row["threads"] == threads)
    return row, report["provenance"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stpn", default=str(ROOT / "target/release/stpn"), help="the program, built with features")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--environments", type=int, nargs="*", default=[2, 8, 16], help="of Gymnasium's vectors")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one of Gymnasium's measurements")
    parser.add_argument("--case", action="append", choices=list(ENVIRONMENTS), help="only these environments")
    parser.add_argument("--json", type=pathlib.Path, help="also write the table to this file")
    arguments = parser.parse_args()
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
        print(f"measured {name}", flush=True)
    print(f"\n{provenance['processor']}, {arguments.threads} threads, commit {provenance['commit']}\n")
    print("| environment | stpn steps/s | of the bare simulator | Gymnasium steps/s | ratio |")
    print("|---|---:|---:|---:|---:|")
    for row in rows:
        share = f"{row['share_of_bare']:.0%}" if "share_of_bare" in row else ""
        theirs, ratio = "", ""
        if "ratio" in row:
            theirs = f"{row['gymnasium_steps_per_second']:,.0f} ({row['gymnasium_environments']} environments)"
            ratio = f"{row['ratio']:.1f}"
        print(f"| {row['name']} | {row['steps_per_second']:,.0f} | {share} | {theirs} | {ratio} |")
    if arguments.json:
        versions = {"gymnasium": gymnasium.__version__, "numpy": numpy.__version__}
        report = {"provenance": provenance, "threads": arguments.threads, "versions": versions, "environments": rows}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
