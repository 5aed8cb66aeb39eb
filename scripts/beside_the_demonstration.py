#!/usr/bin/env python3
"""Validation accuracy of associative retrieval beside the published demonstration's.

    stpn reproduce art && python3 scripts/beside_the_demonstration.py

Reads reproduction/art/curves.csv and writes reproduction/art/beside-the-demonstration.md. The demonstration's accuracies
are those of two runs of the authors' program, with two seeds. Needs Python 3 alone.
"""

import csv
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "reproduction/art"
EPOCHS = [1, 10, 20, 30, 50, 100]
DEMONSTRATION = [[0.337, 0.620, 0.797, 0.923, 0.979, 0.999], [0.314, 0.893, 0.960, 0.967, 0.999, 1.000]]


def main():
    curves = {}
    with open(FOLDER / "curves.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["cell"] == "stpn":
                curves.setdefault(int(row["seed"]), {})[int(row["update"])] = float(row["value"])
    rows = [[f"ours, seed {seed}", *(curve[epoch] for epoch in EPOCHS)] for seed, curve in sorted(curves.items())]
    rows += [[f"demonstration, run {i}", *run] for i, run in enumerate(DEMONSTRATION, 1)]
    lines = ["| validation accuracy after epoch | " + " | ".join(map(str, EPOCHS)) + " |", "|---" + "|---:" * 6 + "|"]
    lines += [f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |" for name, *values in rows]
    (FOLDER / "beside-the-demonstration.md").write_text("\n".join(lines) + "\n")


main()
