"""How the settings of the preset `popgym` were found: a table of what others came to.

    cargo build --release
    python3 scripts/popgym_settings.py [--runs runs/popgym-settings] [--jobs 2] [--out docs/popgym-settings.md]

Half a million steps a run, seed 1001, so that the seeds 1, 2, … remain for reporting. A run that is there already is
not trained again.
"""

import argparse
import json
import os
import pathlib
import subprocess
from concurrent.futures import ThreadPoolExecutor

from provenance import commit, processor

STEPS = 499_712
SEED = 1001

# Environments, steps of a minibatch, γ, learning rate, epochs, entropy's coefficient.
BASE = (32, 512, 0.0, 1e-3, 4, 0.01)
KEYS = (
    "rollout.environments",
    "algorithm.minibatch_size",
    "algorithm.gamma",
    "optimizer.learning_rate",
    "algorithm.epochs",
    "algorithm.entropy_coefficient",
)

# In predictions, an action changes nothing but its own reward.
PREDICTIONS = ["autoencode easy", "count-recall easy", "repeat-previous medium"]
PREDICTION_SETTINGS = [
    (32, 512, 0.9, 1e-3, 4, 0.01),
    (32, 512, 0.5, 1e-3, 4, 0.01),
    BASE,
    (32, 512, 0.0, 1e-3, 4, 0.001),
    (32, 512, 0.0, 1e-3, 8, 0.01),
    (32, 512, 0.0, 2e-3, 4, 0.01),
    (32, 512, 0.0, 4e-3, 4, 0.01),
    (32, 256, 0.0, 1e-3, 4, 0.01),
    (32, 256, 0.0, 2e-3, 4, 0.01),
]
OTHERS = [
    "position-only-cartpole hard",
    "position-only-pendulum hard",
    "multiarmed-bandit easy",
    "concentration easy",
    "battleship easy",
]
OTHER_SETTINGS = [
    (64, 2048, 0.99, 1e-3, 4, 0.01),
    (32, 512, 0.99, 1e-3, 4, 0.01),
    (32, 256, 0.99, 1e-3, 4, 0.01),
    (32, 256, 0.95, 1e-3, 4, 0.01),
]


def name(setting, task, cell):
    """The folder of a run."""
    return "-".join([task.replace(" ", "-"), cell, *map(str, setting)])


def train(program, runs, setting, task, cell):
    """Trains unless that was done, and returns the mean return of the last three entries of the log."""
    directory = runs / name(setting, task, cell)
    if not directory.exists():
        of_task, level = task.split()
        updates = STEPS // (setting[0] * 128)
        command = [program, "train", "popgym", of_task, "--level", level, "--cell", cell, "--seed", str(SEED)]
        command += ["--updates", str(updates), "--threads", "1", "--run-dir", directory]
        for key, value in [*zip(KEYS, setting), ("evaluation.every", 0), ("log.every", 4)]:
            command += ["--set", f"{key}={value}"]
        subprocess.run(command, check=True, capture_output=True)
    entries = map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())
    returns = [entry["charts/episodic_return"] for entry in entries if entry.get("charts/episodic_return") is not None]
    return sum(returns[-3:]) / 3


def table(answers, settings, columns):
    """In Markdown: a row for each setting."""
    heads = ["environments", "minibatch", "γ", "learning rate", "epochs", "entropy"]
    heads += [f"{task}, {cell.upper()}" for task, cell in columns]
    lines = ["| " + " | ".join(heads) + " |", "|" + " ---: |" * len(heads)]
    for setting in settings:
        scores = [f"{answers[setting, task, cell]:.3f}" for task, cell in columns]
        lines.append("| " + " | ".join([*map(str, setting), *scores]) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/popgym-settings"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--program", default="target/release/stpn")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    tables = [
        (PREDICTION_SETTINGS, [(task, cell) for task in PREDICTIONS for cell in ("gru", "stpn")]),
        (OTHER_SETTINGS, [(task, "gru") for task in OTHERS]),
    ]
    asked = [(setting, *column) for settings, columns in tables for setting in settings for column in columns]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        returns = pool.map(lambda run: train(arguments.program, arguments.runs, *run), asked)
        answers = dict(zip(asked, returns))
    text = "\n\n".join(
        [
            "Tasks in which an action changes nothing but its own reward:",
            table(answers, *tables[0]),
            "Other tasks:",
            table(answers, *tables[1]),
            f"Mean return at the end of {STEPS:,} steps of training, seed {SEED}. {processor()}; commit {commit()}. Made by "
            "`scripts/popgym_settings.py`.",
        ]
    )
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
