#!/usr/bin/env python3
"""Steps per second through worker processes beside Gymnasium's own vectors, in turns, in one run.

    cargo build --release -p stpn-envs --example gymnasium_speed
    python3 scripts/gymnasium_speed.py [--environments 16] [--seconds 3] [--rounds 5] [--out FILE] [ID …]

The Python that runs this runs the environments too, in all three programs. Random actions, drawn beforehand. In every
round each program is measured once; a ratio is the median of the rounds' ratios, so that what else the machine does
weighs little. Prints a table in Markdown with the machine and commit, `--out FILE` also writes it.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np

from provenance import commit, processor

ROOT = pathlib.Path(__file__).resolve().parent.parent
KINDS = ("async", "sync", "ours")


def theirs(kind, name, environments, seconds):
    """Steps per second of a vector of Gymnasium."""
    make = [lambda: gym.make(name, disable_env_checker=True)] * environments
    vector = (gym.vector.AsyncVectorEnv if kind == "async" else gym.vector.SyncVectorEnv)(make)
    vector.action_space.seed(0)
    actions = [vector.action_space.sample() for _ in range(61)]
    vector.reset(seed=0)
    steps, start = 0, None
    # A tenth of the time goes before, unmeasured.
    begin = time.perf_counter()
    while start is None or time.perf_counter() - start < seconds:
        vector.step(actions[steps % 61])
        steps += 1
        if start is None and time.perf_counter() - begin > seconds / 10:
            steps, start = 0, time.perf_counter()
    speed = steps * environments / (time.perf_counter() - start)
    vector.close()
    return speed


def ours(program, name, environments, seconds):
    command = [program, name, str(environments), str(seconds)]
    environment = dict(os.environ, STPN_PYTHON=sys.executable)
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def share_of(processes, seconds=1.0):
    """Work of one process while so many do the same: environments stepped in Python, without any exchange."""
    code = (
        "import sys, time, gymnasium as gym\n"
        "env = gym.make('CartPole-v1', disable_env_checker=True); env.reset(seed=0); sys.stdin.readline()\n"
        "begin, steps = time.perf_counter(), 0\n"
        f"while time.perf_counter() - begin < {seconds}:\n"
        "    *_, terminated, truncated, _ = env.step(steps & 1)\n"
        "    steps += 1\n"
        "    if terminated or truncated: env.reset()\n"
        "print(steps / (time.perf_counter() - begin))\n"
    )
    command = [sys.executable, "-c", code]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    time.sleep(2.0)  # All have imported what they need.
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    return statistics.mean(float(process.communicate()[0]) for process in started)


def gain():
    """How many times the work of one process all cores do together: what workers can gain at most."""
    cores = os.cpu_count()
    return statistics.median(cores * share_of(cores) / share_of(1) for _ in range(3))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*", default=["CartPole-v1", "LunarLander-v3", "HalfCheetah-v5"])
    parser.add_argument("--environments", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/examples/gymnasium_speed")
    parser.add_argument("--out", type=pathlib.Path, help="a file for the table")
    o = parser.parse_args()
    lines = ["| environment | AsyncVectorEnv | SyncVectorEnv | ours | against Async | against the better |",
             "|---|---:|---:|---:|---:|---:|"]  # fmt: skip

    def add(line):
        lines.append(line)
        print(line, flush=True)

    print("\n".join(lines))
    for name in o.ids:
        rounds = []
        for _ in range(o.rounds):
            measured = {kind: theirs(kind, name, o.environments, o.seconds) for kind in ("async", "sync")}
            measured["ours"] = ours(o.program, name, o.environments, o.seconds)
            rounds.append(measured)
            print(f"{name}: " + ", ".join(f"{kind} {measured[kind]:,.0f}" for kind in KINDS), file=sys.stderr)
        numbers = " | ".join(f"{statistics.median(measured[kind] for measured in rounds):,.0f}" for kind in KINDS)
        against = statistics.median(measured["ours"] / measured["async"] for measured in rounds)
        better = statistics.median(m["ours"] / max(m["async"], m["sync"]) for m in rounds)
        add(f"| {name} | {numbers} | **{against:.1f}** | **{better:.1f}** |")
    add(f"\nSteps per second of {o.environments} environments with random actions; medians of {o.rounds} rounds of "
        f"{o.seconds:g} s each, in turns in one run. {os.cpu_count()} processes of Python that step CartPole by themselves do "
        f"{gain():.2f} times the work of one here: workers cannot gain more.\n")  # fmt: skip
    add(f"{processor()}, {os.cpu_count()} cores; commit {commit()}; gymnasium {gym.__version__}, numpy "
        f"{np.__version__}, Python {sys.version.split()[0]}. Made by `scripts/gymnasium_speed.py`.")  # fmt: skip
    if o.out:
        o.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
