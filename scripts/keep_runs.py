#!/usr/bin/env python3
"""Keeps runs of the paper's experiments in reproduction/runs, so that anybody can continue them.

    cargo build --release
    python3 scripts/keep_runs.py runs/reproduction/maze/stpn-seed1 …

Of every run, the newest checkpoint is kept whole (`stpn export --resumable`, without the best one), and at most 100
entries of its log. It replaces what was kept of a run with this name. `stpn reproduce maze --runs DIR --updates N`
continues them, where DIR is a copy of reproduction/runs. Needs Python 3 alone.
"""

import argparse
import pathlib
import shutil
import subprocess

from thinning import thin

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENTRIES = 100


def newest_alone(checkpoints):
    """Removes the best checkpoint, if it is another one: it would be half of what is kept."""
    (checkpoints / "best").unlink(missing_ok=True)
    for older in sorted(checkpoints.glob("update-*"))[:-1]:
        shutil.rmtree(older)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=pathlib.Path, nargs="+", metavar="RUN")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/stpn")
    o = parser.parse_args()
    for run in o.runs:
        kept = ROOT / "reproduction/runs" / run.parent.name / run.name
        shutil.rmtree(kept, ignore_errors=True)
        subprocess.run([o.program, "export", "--resumable", run, kept], check=True)
        newest_alone(kept / "checkpoints")
        thin(kept / "metrics.jsonl", ENTRIES)


main()
