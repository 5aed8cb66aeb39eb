"""How the settings of the preset `popgym` were found: tables of what others came to.

    cargo build --release
    python3 scripts/popgym_settings.py [--runs runs/popgym-settings] [--jobs 2] [--out docs/popgym-settings.md]

Half a million steps a run, seed 1001, so that the seeds 1, 2, … remain for reporting. A run that is there already is
not trained again, and one that was broken off is continued. Runs that diverge are marked.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from provenance import commit, processor

STEPS = 499_712
SEED = 1001

# Exit code of a training whose numbers stop being finite.
DIVERGED = 4

# In predictions, an action changes nothing but its own reward.
PREDICTIONS = ["autoencode easy", "count-recall easy", "repeat-previous medium"]
OTHERS = [
    "position-only-cartpole hard",
    "position-only-pendulum hard",
    "multiarmed-bandit easy",
    "concentration easy",
    "battleship easy",
]

KEYS = {
    "environments": "rollout.environments",
    "minibatch": "algorithm.minibatch_size",
    "γ": "algorithm.gamma",
    "learning rate": "optimizer.learning_rate",
    "epochs": "algorithm.epochs",
    "entropy": "algorithm.entropy_coefficient",
}
PREDICTION_SETTINGS = [
    (32, 512, 0.9, 1e-3, 4, 0.01),
    (32, 512, 0.5, 1e-3, 4, 0.01),
    (32, 512, 0.0, 1e-3, 4, 0.01),
    (32, 512, 0.0, 1e-3, 4, 0.001),
    (32, 512, 0.0, 1e-3, 8, 0.01),
    (32, 512, 0.0, 2e-3, 4, 0.01),
    (32, 512, 0.0, 4e-3, 4, 0.01),
    (32, 256, 0.0, 1e-3, 4, 0.01),
    (32, 256, 0.0, 2e-3, 4, 0.01),
]
OTHER_SETTINGS = [
    (64, 2048, 0.99, 1e-3, 4, 0.01),
    (32, 512, 0.99, 1e-3, 4, 0.01),
    (32, 256, 0.99, 1e-3, 4, 0.01),
    (32, 256, 0.95, 1e-3, 4, 0.01),
]

# How the STPN may start, with the preset's settings for predictions.
PREDICTION_PRESET = (32, 256, 0.0, 1e-3, 4, 0.01)
START_KEYS = {
    "`initial_memory`": "policy.cell.initial_memory",
    "`initial_norm`": "policy.cell.initial_norm",
    "`initial_rate`": "policy.cell.initial_rate",
}
STARTS = [
    ("none", "none", 0.001),
    (100.0, "none", 0.001),
    (100.0, 1.0, 0.001),
    (100.0, 1.0, 0.1),
    ("none", "none", 0.1),
]
LIMIT_KEYS = {"`max_decay`": "optimizer.max_decay"}
LIMITS = [("none",), (1.0,)]
# Where fast weights that are not normalised can grow for very long, and two other tasks.
LIMITED = ["repeat-first medium", "repeat-first hard", "count-recall easy", "repeat-previous medium"]


class Table:
    """Rows of values of keys; a column for each task and cell."""

    def __init__(self, title, keys, rows, tasks, cells, beside=()):
        self.title, self.keys, self.rows, self.beside = title, keys, rows, beside
        self.columns = [(task, cell) for task in tasks for cell in cells]

    def runs(self):
        """Every run: its row, task, cell and keys."""
        for row in self.rows:
            keys = dict([*self.beside, *zip(self.keys.values(), row)])
            for task, cell in self.columns:
                yield row, task, cell, keys

    def markdown(self, returns):
        """The section, with the mean return of every run in order."""
        heads = [*self.keys, *(f"{task}, {cell.upper()}" for task, cell in self.columns)]
        lines = ["| " + " | ".join(heads) + " |", "|" + " ---: |" * len(heads)]
        for row in self.rows:
            scores = [next(returns) for _ in self.columns]
            scores = ["diverged" if score is None else f"{score:.3f}" for score in scores]
            lines.append("| " + " | ".join([*map(str, row), *scores]) + " |")
        return f"## {self.title}\n\n" + "\n".join(lines)


TABLES = [
    Table("Predictions", KEYS, PREDICTION_SETTINGS, PREDICTIONS, ["gru", "stpn"]),
    Table("Other tasks", KEYS, OTHER_SETTINGS, OTHERS, ["gru"]),
    Table(
        "Starts of the STPN", START_KEYS, STARTS, PREDICTIONS, ["stpn"], [*zip(KEYS.values(), PREDICTION_PRESET)]
    ),
    Table(
        "Limited decays", LIMIT_KEYS, LIMITS, LIMITED, ["stpn", "stpnf"], [*zip(KEYS.values(), PREDICTION_PRESET)]
    ),
]


def directory(runs, row, task, cell):
    """The folder of a run."""
    return runs / "-".join([task.replace(" ", "-"), cell, *map(str, row)])


def entries(folder):
    """The log of a run."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def train(program, runs, run):
    """Trains to the end and returns the mean return of the last three entries of the log; nothing if it diverges."""
    row, task, cell, keys = run
    folder = directory(runs, row, task, cell)
    of_task, level = task.split()
    update = keys["rollout.environments"] * 128
    updates = STEPS // update
    command = None
    if not folder.exists():
        command = [program, "train", "popgym", of_task, "--level", level, "--cell", cell, "--seed", str(SEED)]
        command += ["--updates", str(updates), "--threads", "1", "--run-dir", folder]
        for key, value in [*keys.items(), ("evaluation.every", 0), ("log.every", 4)]:
            command += ["--set", f"{key}={value}"]
    elif (entries(folder) or [{"env_steps": 0}])[-1]["env_steps"] < updates * update:
        command = [program, "resume", folder, "--threads", "1"]
    if command:
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode == DIVERGED:
            return None
        if ended.returncode:
            sys.exit(f"{folder}: {ended.stderr}")
    returns = [entry.get("charts/episodic_return") for entry in entries(folder)]
    return sum([value for value in returns if value is not None][-3:]) / 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/popgym-settings"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--program", default="target/release/stpn")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    runs = [run for table in TABLES for run in table.runs()]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        returns = pool.map(lambda run: train(arguments.program, arguments.runs, run), runs)
        sections = [table.markdown(returns) for table in TABLES]
    made = (
        f"Mean return at the end of {STEPS:,} steps of training, seed {SEED}. {processor()}; commit {commit()}. Made by "
        "`scripts/popgym_settings.py`."
    )
    text = "\n\n".join(["# Settings of POPGym's preset", *(f"{section}\n\n{made}" for section in sections)])
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
