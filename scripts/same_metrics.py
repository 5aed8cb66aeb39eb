#!/usr/bin/env python3
"""Shows that a change leaves every preset's arithmetic as it was, bit for bit.

    git worktree add ../before main && (cd ../before && cargo build --release)
    cargo build --release
    python3 scripts/same_metrics.py ../before/target/release/stpn target/release/stpn

Trains every preset that both programs have for a few updates with each of them, and compares `metrics.jsonl` entry by
entry, timings aside. Large presets are made smaller (fewer environments), the same for both. Exits with 1 on the first
difference. Needs Python 3 alone.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

# What is measured by a clock.
TIMINGS = ("time/", "charts/SPS", "charts/env_steps_per_second")
# A short form of presets whose updates take long.
SMALLER = {
    "maze": ["--set", "rollout.environments=16", "--set", "training.warmup_updates=2"],
    "art": ["--set", "task.training_sequences=512", "--set", "task.validation_sequences=64"],
    "familiarity": ["--set", "task.length=200"],
    "pong": ["--set", "rollout.environments=4"],
}


def presets(program):
    """Names of the presets that a program can train."""
    lines = subprocess.run([program, "list"], check=True, capture_output=True, text=True).stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Presets"))
    rows = [line for line in lines[start + 2 : lines.index("", start)] if line.strip()]
    return [row.split()[0] for row in rows if "needs --features" not in row]


def metrics(program, preset, options, folder):
    run = pathlib.Path(folder) / f"{preset}-{pathlib.Path(program).resolve().parent.parent.parent.name}"
    command = [program, "train", preset, "--seed", "1", "--run-dir", str(run), *options, *SMALLER.get(preset, [])]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{result.stderr}")
    entries = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in entry.items() if not key.startswith(TIMINGS)} for entry in entries]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--presets", nargs="*", help="only these")
    arguments = parser.parse_args()
    after = presets(arguments.after)
    names = [name for name in presets(arguments.before) if name in after]
    names = [name for name in names if arguments.presets is None or name in arguments.presets]
    options = ["--updates", str(arguments.updates)]
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            before, now = (
                metrics(program, name, options, pathlib.Path(folder) / side)
                for side, program in [("before", arguments.before), ("after", arguments.after)]
            )
        for number, (old, new) in enumerate(zip(before, now, strict=True), 1):
            shared = old.keys() & new.keys()
            different = sorted(key for key in shared if old[key] != new[key])
            if different:
                key = different[0]
                sys.exit(f"{name}: entry {number}: {key} was {old[key]!r} and is {new[key]!r}")
        missing = sorted(before[-1].keys() - now[-1].keys())
        print(f"{name}: {len(now)} entries are the same" + (f"; gone: {', '.join(missing)}" if missing else ""))


main()
