#!/usr/bin/env python3
"""Shows that a change leaves every preset's arithmetic as it was, bit for bit.

    git worktree add ../before main && (cd ../before && cargo build --release)
    cargo build --release
    python3 scripts/same_metrics.py ../before/target/release/stpn target/release/stpn

Trains every preset that both programs have, with two cells, for a few updates on one thread with each of them, and
compares `metrics.jsonl` update by update, timings aside. Large presets are made smaller and shorter, the same for both,
unless `--full` is given. What cannot run here (a package of Python is missing) or takes too long (`--limit`) is left out
with its reason. `--config` lets the second program train from the first one's `config.toml`: then presets that were
changed on purpose do not hide whether the arithmetic is the same. Prints a table in Markdown; exits with 1 if anything
differs. `--keep FOLDER` keeps the first program's runs and takes them from there the next time.
Needs Python 3 alone.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

# What is measured by a clock.
TIMINGS = ("time/", "charts/SPS", "charts/env_steps_per_second", "charts/sequences_per_second")
CELLS = ["stpn", "lstm"]
# What a preset asks for beside its name.
WORDS = {"gym": ["CartPole-v1"], "atari": ["breakout"]}
ROLLOUT = ["--set", "rollout.environments=4"]
# Updates (at most) and settings where those of the preset take long.
SMALLER = {
    "maze": (20, [*ROLLOUT, "--set", "training.warmup_updates=2"]),
    "art": (20, ["--set", "task.training_sequences=1024", "--set", "task.validation_sequences=128"]),
    "familiarity": (20, ["--set", "task.steps=300", "--set", "task.validate_every=5"]),
    "pong": (3, ROLLOUT),
    "pong-deepmind": (2, ["--set", "rollout.environments=2"]),
    "atari": (2, ["--set", "rollout.environments=2"]),
}
# All others with PPO collect thousands of steps for an update.
MUJOCO = 3


def presets(program):
    """Names of the presets that a program can train."""
    lines = subprocess.run([program, "list"], check=True, capture_output=True, text=True).stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Presets"))
    rows = [line for line in lines[start + 2 : lines.index("", start)] if line.strip()]
    return {row.split()[0]: row for row in rows if "needs --features" not in row}


def length(row, preset, updates, full):
    """Updates and further options for a preset, from its row in `stpn list`."""
    if full:
        return ["--updates", str(updates)]
    most, options = SMALLER.get(preset, (updates, []))
    if preset not in SMALLER and " ppo " in row:
        most = MUJOCO
    return ["--updates", str(min(updates, most)), *options]


def run_of(program, preset, options, run, limit):
    """The entries of the run of a preset."""
    return train([program, "train", preset, *WORDS.get(preset, []), "--seed", "1", *options], run, limit)


def train(command, run, limit):
    """The entries of a run without what a clock measures, or why there are none."""
    # Every update by itself: an entry of several was once that of the last one, and has their means since.
    command = [*command, "--set", "log.every=1", "--threads", "1", "--run-dir", str(run)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"takes more than {limit} s"
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.startswith("error")] or [result.stderr]
        return lines[-1].strip()
    entries = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in entry.items() if not key.startswith(TIMINGS)} for entry in entries]


def kept(folder, name, make):
    """What `make` gives, from `folder` if it was made before."""
    if folder is None:
        return make()
    file = pathlib.Path(folder) / f"{name}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(make()))
    return json.loads(file.read_text())


def compare(before, after, changed):
    """What became of one run, in words, and whether it is wrong. Not compared: the keys that were `changed`."""
    if isinstance(before, str):
        return f"left out: {before}", False
    if isinstance(after, str):
        return f"FAILS NOW: {after}", True
    if len(before) != len(after):
        return f"DIFFERS: {len(before)} entries were, {len(after)} are", True
    for number, (old, new) in enumerate(zip(before, after), 1):
        for key in sorted((old.keys() & new.keys()) - changed):
            if json.dumps(old[key]) != json.dumps(new[key]):
                return f"DIFFERS in entry {number}: {key} was {old[key]!r} and is {new[key]!r}", True
    if not before:
        return "NO ENTRIES", True
    values = sum(len(entry.keys() - changed) for entry in before)
    gone = sorted(set().union(*before) - set().union(*after))
    come = sorted(set().union(*after) - set().union(*before))
    notes = "".join(f"; {what}: {', '.join(keys)}" for what, keys in [("gone", gone), ("new", come)] if keys)
    return f"{values} values in {len(before)} entries are the same{notes}", False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", help="a `stpn`")
    parser.add_argument("after", nargs="?", help="the other `stpn`; without it, the first one's runs are only kept")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--full", action="store_true", help="every preset in its own size, for all --updates")
    parser.add_argument("--config", action="store_true", help="the second program trains from the first one's config.toml")
    parser.add_argument("--presets", nargs="*", help="only these")
    parser.add_argument("--changed", nargs="*", default=[], help="metrics whose definition was changed on purpose")
    parser.add_argument("--limit", type=int, default=300, help="seconds for a run at most")
    parser.add_argument("--keep", metavar="FOLDER", help="where the first program's metrics are kept and looked for")
    arguments = parser.parse_args()
    if arguments.config and arguments.keep:
        parser.error("--keep keeps metrics alone, and --config needs the first program's runs: give one of them")
    rows = presets(arguments.before)
    both = rows.keys() & presets(arguments.after).keys() if arguments.after else rows.keys()
    wrong = False
    print("| preset | cell | after against before |\n|---|---|---|")
    for name, row in rows.items():
        if arguments.presets is not None and name not in arguments.presets:
            continue
        for cell in CELLS:
            if name not in both:
                print(f"| `{name}` | `{cell}` | left out: the second program was built without its feature |")
                continue
            options = ["--cell", cell, *length(row, name, arguments.updates, arguments.full)]
            with tempfile.TemporaryDirectory() as folder:
                runs = pathlib.Path(folder)
                before = kept(
                    arguments.keep,
                    f"{name}-{cell}-{arguments.updates}{'-full' if arguments.full else ''}",
                    lambda: run_of(arguments.before, name, options, runs / "before", arguments.limit),
                )
                if arguments.after is None:
                    said = before if isinstance(before, str) else f"{len(before)} entries kept"
                else:
                    after = before
                    if isinstance(before, str):
                        pass
                    elif arguments.config:
                        config = runs / "before" / "config.toml"
                        after = train([arguments.after, "train", str(config)], runs / "after", arguments.limit)
                    else:
                        after = run_of(arguments.after, name, options, runs / "after", arguments.limit)
                    said, bad = compare(before, after, set(arguments.changed))
                    wrong = wrong or bad
            print(f"| `{name}` | `{cell}` | {said} |", flush=True)
    sys.exit(1 if wrong else 0)


main()
