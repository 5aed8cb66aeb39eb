#!/usr/bin/env python3
"""Draws every published figure anew, from the data recorded in this repository.

    cargo build --release --features atari,mujoco && python3 scripts/figures.py [STPN]

Folders of comparisons (comparison.json, curves.csv) and curves in JSON are drawn by `stpn draw`; the curves of shipped
agents by `stpn report`. STPN is target/release/stpn unless another program is named; without the feature `mujoco` the
walkers lack the random policy's level. Nothing is trained. Needs Python 3 alone.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Learning curves of agents whose runs are in the repository.
AGENTS = {
    "hopper-stpnf": "docs/walking/hopper-learning-curves.svg",
    "half-cheetah-stpnf": "docs/walking/half-cheetah-learning-curves.svg",
}


def sources():
    """Folders of comparisons, and files of curves."""
    for place in ["docs", "reproduction"]:
        yield from sorted(path.parent for path in (ROOT / place).rglob("comparison.json"))
    for path in sorted((ROOT / "docs").rglob("*.json")):
        if "series" in json.loads(path.read_text()):
            yield path


def main():
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/stpn").resolve()
    subprocess.run([program, "draw", *(path.relative_to(ROOT) for path in sources())], check=True, cwd=ROOT)
    for agent, figure in AGENTS.items():
        with tempfile.TemporaryDirectory() as folder:
            plots = pathlib.Path(folder) / "plots"
            page = ["--out", plots.with_suffix(".html"), "--plots", plots]
            subprocess.run([program, "report", ROOT / "checkpoints" / agent, *page], check=True, stdout=subprocess.DEVNULL)
            (drawn,) = plots.glob("*-learning-curves.svg")
            (ROOT / figure).write_bytes(drawn.read_bytes())
            print(figure)


if __name__ == "__main__":
    main()
