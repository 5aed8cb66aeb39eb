"""Steps per second of every task of POPGym beside its Python package, in turns, in one run.

    pip install popgym==1.0.7 mazelib==0.9.16
    cargo build --release
    python3 scripts/popgym_speed.py [--environments 16] [--seconds 0.25] [--rounds 6] [--out docs/popgym-speed.md] \
        [TASK-LEVEL …]

The Python that runs this runs the package. Random actions, drawn beforehand. Ours is `stpn bench envs` on one thread;
the package is measured by itself, one environment in a loop, and in Gymnasium's vectors. Of each, the best of some
rounds over all tasks counts: other programs on the machine can only slow it down.
"""

import argparse
import importlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
import warnings
from importlib.metadata import version

import gymnasium

from provenance import commit, processor

warnings.filterwarnings("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "envs/tests/python"))
from popgym_recordings import LEVELS, TASKS  # noqa: E402

ACTIONS = 61


def alone(make, seconds):
    """Steps per second of one environment in a loop."""
    env = make()
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(ACTIONS)]
    env.reset(seed=0)
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        _, _, terminated, truncated, _ = env.step(actions[steps % ACTIONS])
        steps += 1
        if terminated or truncated:
            env.reset()
    return steps / (time.perf_counter() - start)


def together(vector, environments, seconds):
    """Steps per second of a vector of Gymnasium."""
    vector.action_space.seed(0)
    actions = [vector.action_space.sample() for _ in range(ACTIONS)]
    vector.reset(seed=0)
    for action in actions:
        vector.step(action)
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        vector.step(actions[steps % ACTIONS])
        steps += 1
    speed = steps * environments / (time.perf_counter() - start)
    vector.close()
    return speed


def ours(program, case, environments):
    """Steps per second of ours on one thread."""
    command = [program, "bench", "envs", "--case", f"popgym-{case}", "--threads", "1", "--repeats", "5", "--json"]
    command += ["--environments", str(environments)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer["environments"][0]["steps_per_second"]


def measured(make, case, arguments):
    """Steps per second of the package alone and in both vectors, and of ours."""
    many = [make] * arguments.environments
    vectors = (gymnasium.vector.SyncVectorEnv, gymnasium.vector.AsyncVectorEnv)
    return [
        alone(make, arguments.seconds),
        *(together(vector(many), arguments.environments, arguments.seconds) for vector in vectors),
        ours(arguments.program, case, arguments.environments),
    ]


def thousands(speed):
    return f"{speed / 1e6:,.1f} M" if speed >= 1e6 else f"{speed / 1e3:,.1f} k"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--environments", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--program", default="target/release/stpn")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = [
        "| task | Python alone | SyncVectorEnv | AsyncVectorEnv | ours, one thread | against Python alone | "
        "against the better vector |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    makes = {
        f"{task}-{level.lower()}": getattr(importlib.import_module(f"popgym.envs.{module}"), cls + level)
        for task, (module, cls, *_) in TASKS.items()
        for level in LEVELS
    }
    cases = arguments.cases or list(makes)
    best = {case: [0.0] * 4 for case in cases}
    # All cases in each round: what else the machine does for a while then slows no case in all of its rounds.
    for turn in range(arguments.rounds):
        for case in cases:
            speeds = measured(makes[case], case, arguments)
            best[case] = list(map(max, best[case], speeds))
        print(f"round {turn + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    least = float("inf")
    for case, (*speeds, speed) in best.items():
        alone_ratio, ratio = speed / speeds[0], speed / max(speeds[1:])
        least = min(least, ratio)
        numbers = " | ".join(map(thousands, [*speeds, speed]))
        lines.append(f"| {case} | {numbers} | {alone_ratio:,.0f}× | {ratio:,.0f}× |")
        print(lines[-1])
    packages = ", ".join(f"{name} {version(name)}" for name in ("popgym", "gymnasium", "numpy"))
    lines += [
        "",
        f"Steps per second, with random actions; vectors of {arguments.environments} environments, "
        f"{arguments.seconds:g} s each, the best of {arguments.rounds} rounds. The smallest ratio to the better vector is "
        f"{least:,.0f}.",
        "",
        f"{processor()}, {os.cpu_count()} cores; commit {commit()}; {packages}, Python {platform.python_version()}. "
        "Made by `scripts/popgym_speed.py`.",
    ]
    text = "\n".join(lines) + "\n"
    print(lines[-1])
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
