#!/usr/bin/env python3
"""Environment steps per second of `stpn.make_vec` beside Gymnasium's own vectors, and EnvPool's if it is installed.

    pip install wheels/stpn-*.whl gymnasium [envpool]      (a release wheel: docs/python.md tells how it is built)
    python3 scripts/python_env_speed.py [--environments 64] [--seconds 2] [--rounds 5] [--out FILE]

Random actions, drawn beforehand; the programs take turns, round by round. Prints a table in Markdown; a missing number
is that of a program that is not installed.
"""

import argparse
import datetime
import importlib.metadata
import os
import pathlib
import statistics
import sys
import time

import gymnasium
import numpy as np
import stpn

from provenance import commit, processor

# Names in stpn, in Gymnasium and in EnvPool. The masked one and the maze are ours alone.
TASKS = [
    ("cartpole", "CartPole-v1", "CartPole-v1"),
    ("pendulum", "Pendulum-v1", "Pendulum-v1"),
    ("acrobot", "Acrobot-v1", "Acrobot-v1"),
    ("maze", None, None),
]
KINDS = ("SyncVectorEnv", "AsyncVectorEnv", "EnvPool", "stpn, copies", "stpn, views")


def version(package):
    """Of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def vectors(task, count):
    """What makes each vector that there is."""
    ours, theirs, pool = task
    made = {
        "stpn, copies": lambda: stpn.make_vec(ours, count),
        "stpn, views": lambda: stpn.make_vec(ours, count, copy=False),
    }
    if theirs:
        one = [lambda: gymnasium.make(theirs, disable_env_checker=True)] * count
        made["SyncVectorEnv"] = lambda: gymnasium.vector.SyncVectorEnv(one)
        made["AsyncVectorEnv"] = lambda: gymnasium.vector.AsyncVectorEnv(one)
    if pool:
        try:
            import envpool
        except ImportError:
            return made
        threads = os.cpu_count() or 1
        made["EnvPool"] = lambda: envpool.make_gymnasium(pool, num_envs=count, num_threads=threads, seed=0)
    return made


def speed(make, task, count, seconds):
    """Steps per second of all environments together; a tenth of the time goes before, unmeasured."""
    space = stpn.make_vec(task[0], count).action_space
    space.seed(0)
    actions = [space.sample() for _ in range(61)]
    vector = make()
    vector.reset()
    steps, begin, start = 0, time.perf_counter(), None
    while start is None or time.perf_counter() - start < seconds:
        vector.step(actions[steps % 61])
        steps += 1
        if start is None and time.perf_counter() - begin > seconds / 10:
            steps, start = 0, time.perf_counter()
    measured = steps * count / (time.perf_counter() - start)
    vector.close()
    return measured


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--wheel", metavar="COMMIT", help="what the wheel was built from, if not from this commit")
    parser.add_argument("--out", type=pathlib.Path, help="a file for the table")
    o = parser.parse_args()
    lines = [f"| environment | {' | '.join(KINDS)} | against the best of the others |", "|---" + "|---:" * 6 + "|"]
    for task in TASKS:
        made = vectors(task, o.environments)
        rounds = [{kind: speed(made[kind], task, o.environments, o.seconds) for kind in made} for _ in range(o.rounds)]
        medians = {kind: statistics.median(measured[kind] for measured in rounds) for kind in made}
        others = [kind for kind in made if not kind.startswith("stpn")]
        better = ""
        if others:
            ratios = (measured["stpn, copies"] / max(measured[kind] for kind in others) for measured in rounds)
            better = f"**{statistics.median(ratios):.1f}**"
        numbers = " | ".join(f"{medians[kind]:,.0f}" if kind in medians else "" for kind in KINDS)
        lines.append(f"| {task[0]} | {numbers} | {better} |")
        print(lines[-1], file=sys.stderr, flush=True)
    lines.append(
        f"\nSteps per second of {o.environments} environments with random actions; medians of {o.rounds} rounds of "
        f"{o.seconds:g} s each, in turns. {processor()}, {os.cpu_count()} cores; commit {commit()}"
        f"{f', wheel of {o.wheel}' if o.wheel else ''}; stpn "
        f"{stpn.__version__}, EnvPool {version('envpool')}, gymnasium {gymnasium.__version__}, numpy {np.__version__}, Python "
        f"{sys.version.split()[0]}, {datetime.date.today()}. Made by `scripts/python_env_speed.py`."
    )
    text = "\n".join(lines) + "\n"
    print(text)
    if o.out:
        o.out.write_text(text)


if __name__ == "__main__":
    main()
