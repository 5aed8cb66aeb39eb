#!/usr/bin/env python3
"""Trains cells side by side on a preset and draws their learning curves.

    cargo build --release && python3 scripts/learning_curves.py maze-small

Runs `stpn train` for every cell and seed (finished runs are kept, interrupted ones resumed), evaluates each on fresh
episodes, and writes docs/PRESET.json with the curves, docs/PRESET.svg drawn from it, and docs/PRESET.md with the
machine, commit and seeds. Needs Python 3 alone.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tomllib

from provenance import processor

ROOT = pathlib.Path(__file__).resolve().parent.parent


def stpn(*arguments):
    command = [str(ROOT / "target/release/stpn"), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def train(preset, cell, seed, updates):
    """The run's directory."""
    run = ROOT / "runs" / "curves" / f"{preset}-{cell}-{seed}"
    if (run / "checkpoints").exists():
        stpn("resume", run, *(["--updates", updates] if updates else []))
    else:
        extra = ["--updates", updates] if updates else []
        stpn("train", preset, "--cell", cell, "--seed", seed, "--run-dir", run, *extra)
    return run


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def settings(run):
    """What makes a run another experiment, rather than another seed."""
    config = tomllib.loads((run / "config.toml").read_text())
    for section in ["seed", "checkpoint", "evaluation", "log"]:
        config.pop(section, None)
    config["training"].pop("threads", None)
    return config


def refuse_unlike(runs):
    """Finished runs are kept: they may be of other settings or another length than asked for now."""
    first = runs[0]
    for run in runs[1:]:
        if settings(run) != settings(first) or metrics(run)[-1]["update"] != metrics(first)[-1]["update"]:
            raise SystemExit(f"{run} differs from {first} in more than the seed: remove one of them and run this again")


def smoothed(values, window):
    out, total = [], 0.0
    for i, value in enumerate(values):
        total += value - (values[i - window] if i >= window else 0.0)
        out.append(total / min(i + 1, window))
    return out


def record(preset, curves, random_return, oracle):
    """Keeps at most 400 points of a curve in docs/PRESET.json, and draws them."""
    def thinned(run):
        stride = max(1, len(run) // 400)
        points = run[::stride] + ([] if (len(run) - 1) % stride == 0 else run[-1:])
        return [[steps, float(f"{value:.5g}")] for steps, value in points]

    levels = {"random policy": random_return} | ({"oracle": oracle} if oracle else {})
    series = [{"name": cell, "curves": [thinned(run) for run in runs]} for cell, runs in curves.items()]
    head = {"x": "environment steps", "y": "mean return over 20 updates (reward per episode)",
            "possible": [0 if preset.startswith("maze") else None, None], "levels": levels}
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in series)
    path = ROOT / "docs" / f"{preset}.json"
    path.write_text(json.dumps(head)[:-1] + f', "series": [\n{lines}\n]}}\n')
    stpn("draw", path)


def source():
    """The commit, `-dirty` if anything but recorded results differs from it."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    dirty = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs", ":!reproduction")
    return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if dirty else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("--cells", nargs="+", default=["stpn", "lstm", "rnn"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--updates", type=int, help="default: the preset's")
    parser.add_argument("--episodes", type=int, default=200, help="of the evaluation")
    o = parser.parse_args()

    commit = source()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    curves, rows, random_return = {}, [], None
    for cell in o.cells:
        curves[cell], recents, evaluations, seconds, runs = [], [], [], [], []
        for seed in o.seeds:
            print(f"{o.preset} {cell} seed {seed} …", flush=True)
            run = train(o.preset, cell, seed, o.updates)
            runs.append(run)
            refuse_unlike(runs)
            lines = metrics(run)
            seconds.append(sum(line["time/rollout_seconds"] + line["time/learn_seconds"] for line in lines))
            returns = smoothed([line["charts/episodic_return"] for line in lines], 20)
            curves[cell].append([(line["env_steps"], r) for line, r in zip(lines, returns)])
            recents.append(lines[-1]["charts/episodic_return_recent"])
            evaluations.append(json.loads(stpn("eval", run, "--episodes", o.episodes, "--json")))
            if random_return is None:
                random_return = json.loads(stpn("eval", run, "--episodes", 2000, "--random", "--json"))["mean_return"]
        share = [e["oracle_share"] for e in evaluations if e["oracle_share"] is not None]
        rows.append([
            cell,
            " / ".join(f"{r:.1f}" for r in recents),
            " / ".join(f"{r / random_return:.1f}×" for r in recents),
            f"{statistics.mean(e['mean_return'] for e in evaluations):.1f}",
            f"{100 * statistics.mean(share):.0f} %" if share else "-",
            f"{statistics.mean(e['energy_per_unit_step'] for e in evaluations):.3f}",
            f"{statistics.mean(seconds):.0f} s",
        ])
    out = ROOT / "docs"
    record(o.preset, curves, random_return, evaluations[0]["oracle_return"])
    header = ["cell", "mean return, last 50 updates", "against random", "evaluation, fresh seeds", "of the oracle",
              "energy per unit and step", "time of a run, updates alone"]
    table = [header, ["---"] * len(header), *rows]
    seeds = ", ".join(map(str, o.seeds))
    text = "".join(f"| {' | '.join(row)} |\n" for row in table)
    text += f"\nSeeds {seeds}, one figure for each; random policy {random_return:.2f}; "
    text += f"{o.episodes} evaluation episodes; {processor()}, {cores} cores; commit {commit}.\n"
    (out / f"{o.preset}.md").write_text(text)
    print(text)


main()
