#!/usr/bin/env python3
"""Pools recorded comparisons of one task, whose runs may come from several machines, into one.

    python3 scripts/pool_results.py DIR MORE …      # the runs of MORE join those of DIR, which is written anew
    stpn draw --tables DIR                          # its table and pictures

A curve keeps at most 100 points. Each folder has what `stpn compare --out` leaves: `comparison.json` and `curves.csv`. The task, its
measure and the number of the arithmetic must be the same. Where two folders have the same cell with the same seed, the
results must be equal, as they are wherever the number of the arithmetic and the instructions are; the first one stays.
The pooled provenance says which cells were run where. Needs Python 3 alone.
"""

import argparse
import csv
import json
import pathlib
import re
import sys

from thinning import thinned

POINTS = 100
SAME = ["task", "measure", "energy_measure", "possible", "random", "oracle", "statistics"]


def numerics(comparison):
    return re.findall(r"numerics (\d+)", comparison["provenance"])


def named(seeds):
    if len(seeds) > 1 and seeds == tuple(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return ("seeds " if len(seeds) > 1 else "seed ") + ", ".join(map(str, seeds))


def pooled(first, second, where):
    """The runs of both; `where` is for errors."""
    for key in SAME:
        if first.get(key) != second.get(key):
            sys.exit(f"{where}: {key} is {second.get(key)!r} in place of {first.get(key)!r}: not the same comparison")
    if set(numerics(first)) != set(numerics(second)):
        sys.exit(f"{where}: another number of the arithmetic, {numerics(second)} in place of {numerics(first)}")
    there = {(run["cell"], run["seed"]): run for run in first["runs"]}
    new = []
    for run in second["runs"]:
        known = there.get((run["cell"], run["seed"]))
        if known is None:
            new.append(run)
        elif known["result"] != run["result"]:
            sys.exit(f"{where}: {run['cell']}, seed {run['seed']}: {run['result']} in place of {known['result']}")
    sizes = ["units", "parameters", "state", "multiply_adds"]
    cells = {cell["cell"]: cell for cell in first["cells"]}
    for cell in second["cells"]:
        known = cells.setdefault(cell["cell"], cell)
        if any(known.get(size) != cell.get(size) for size in sizes):
            sys.exit(f"{where}: {cell['cell']} has another size")
    names = list(cells)
    runs = sorted(first["runs"] + new, key=lambda run: (names.index(run["cell"]), run["seed"]))
    provenance = first["provenance"]
    if new:
        seeds = {}
        for run in new:
            seeds.setdefault(run["cell"], []).append(run["seed"])
        cells_of = {}
        for cell, of_cell in seeds.items():
            cells_of.setdefault(tuple(sorted(of_cell)), []).append(cell)
        told = "; ".join(f"{', '.join(some)} with {named(of_cells)}" for of_cells, some in cells_of.items())
        provenance += f". Added: {told}; {second['provenance']}"
    return {**first, "compared": names, "cells": list(cells.values()), "runs": runs, "provenance": provenance}, new


def rows(folder):
    """The header, and the thinned curve of every run."""
    with open(folder / "curves.csv", newline="") as file:
        header, *body = csv.reader(file)
    curves = {}
    for row in body:
        curves.setdefault((row[0], row[1]), []).append(row)
    update = header.index("update")
    return header, {run: thinned(curve, POINTS, lambda row: int(row[update])) for run, curve in curves.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, metavar="DIR")
    parser.add_argument("others", type=pathlib.Path, nargs="+", metavar="MORE")
    o = parser.parse_args()
    comparison = json.loads((o.out / "comparison.json").read_text())
    header, curves = rows(o.out)
    for other in o.others:
        comparison, new = pooled(comparison, json.loads((other / "comparison.json").read_text()), other)
        added = {(run["cell"], str(run["seed"])) for run in new}
        more_header, more = rows(other)
        if more_header != header:
            sys.exit(f"{other / 'curves.csv'}: has the columns {more_header} in place of {header}")
        curves |= {run: curve for run, curve in more.items() if run in added}
    curves = [row for run in comparison["runs"] for row in curves[run["cell"], str(run["seed"])]]
    with open(o.out / "curves.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *curves])
    (o.out / "comparison.json").write_text(json.dumps(comparison, indent=2, ensure_ascii=False) + "\n")


main()
