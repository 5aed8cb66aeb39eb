#!/usr/bin/env python3
"""Trains agents from files of four lines, to see whether the defaults learn, and writes docs/defaults.md.

    cargo build --release && python3 scripts/defaults.py

Every file names an environment, PPO or A2C, a cell and 64 units; all else is default, for every environment the same.
Finished runs below runs/defaults are kept. Needs Python 3 alone.
"""

import argparse
import itertools
import json
import os
import pathlib
import subprocess

from provenance import commit, processor

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEPS = 400_000
EPISODES = 100
ALGORITHMS = ["ppo", "a2c"]
# Environment, the mean return to be reached, cells.
GOALS = [
    ("cartpole", 475.0, ["mlp", "lstm", "stpn"]),
    ("cartpole-masked", 400.0, ["lstm", "gru", "stpn"]),
    ("memory", 0.9, ["lstm", "gru", "stpn"]),
    ("pendulum", -250.0, ["mlp"]),
]
FILE = """env = "{env}"
algorithm = "{algorithm}"
[policy]
cell = "{cell}"
hidden = 64
"""


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def mean_returns(stpn, runs, algorithm, env, cell, seed):
    """Of fresh episodes, with the most probable and with sampled actions; the run is made if it is not there."""
    runs.mkdir(parents=True, exist_ok=True)
    file = runs / f"{algorithm}-{env}-{cell}.toml"
    file.write_text(FILE.format(algorithm=algorithm, env=env, cell=cell))
    run = runs / f"{algorithm}-{env}-{cell}-{seed}"
    how = ["--threads", 1, "--seed", seed, "--steps", STEPS, "--run-dir", run, "--or-resume"]
    output(stpn, "train", file, *how)
    evaluate = [stpn, "eval", run, "--episodes", EPISODES, "--threads", 1, "--json"]
    return [json.loads(output(*evaluate, *how))["mean_return"] for how in (["--deterministic"], [])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stpn", type=pathlib.Path, default=ROOT / "target/release/stpn")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="one environment; the page is not written")
    arguments = parser.parse_args()
    seeds = range(1, arguments.seeds + 1)
    rows = []
    for algorithm, (env, goal, cells) in itertools.product(ALGORITHMS, GOALS):
        if arguments.only not in (None, env):
            continue
        for cell in cells:
            runs = ROOT / "runs" / "defaults"
            returns = [mean_returns(arguments.stpn, runs, algorithm, env, cell, seed) for seed in seeds]
            columns = []
            for values in zip(*returns):
                reached = sum(value >= goal for value in values)
                columns.append(", ".join(f"{value:.2f}" for value in values))
                columns.append(f"{reached} of {len(values)}")
            rows.append(f"| {algorithm} | {env} | {cell} | {goal:g} | {' | '.join(columns)} |")
            print(rows[-1], flush=True)
    if arguments.only:
        return
    table = "\n".join(["| algorithm | environment | cell | goal | most probable actions | reached | sampled actions | reached |",
                       "|---|---|---|---|---|---|---|---|", *rows])
    page = f"""{table}

Seeds 1 to {arguments.seeds}, {STEPS:,} steps, {EPISODES} fresh episodes each; {processor()}, {os.cpu_count()} cores, one thread a run; commit
{commit()}.
"""
    (ROOT / "docs/defaults.md").write_text(page)


if __name__ == "__main__":
    main()
