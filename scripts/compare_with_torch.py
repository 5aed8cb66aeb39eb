#!/usr/bin/env python3
"""Times training steps of this project and of plain PyTorch in turn on this machine, and prints their ratios.

    python3 scripts/compare_with_torch.py [--cases maze,pong] [--threads 2] [--out docs/speed.md]
    python3 scripts/compare_with_torch.py --device cuda --cases maze,pong

Builds the release binary, makes a virtual environment with PyTorch in `.torch` (about 5 GB) where there is none, runs
`stpn bench updates` and `benches/torch_stpn.py` alternately, several rounds of each, and takes the median of the
rounds. Where PyTorch's memory does not hold a whole batch it gets a part, and its time is scaled up: in its favour,
as its time per environment grows with the batch. Run it on an idle machine; needs Python 3 and pip. With
`--device cuda`, both compute on the first NVIDIA device, where PyTorch gets whole batches.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

from provenance import commit

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".torch"
STPN = ROOT / "target" / "release" / "stpn"

# Fractions of the batch that PyTorch holds in 24 GiB, and how much faster and smaller ours is meant to be.
CASES = {
    "maze": (0.5, "≥ 10", "≤ 300"),
    "maze-lstm": (1, "≥ 1", ""),
    "maze-gru": (1, "≥ 1", ""),
    "art": (1, "≥ 8", ""),
    "art-lstm": (1, "≥ 1", ""),
    "pong": (0.25, "≥ 6", "≤ 1024"),
    "pong-lstm": (1, "≥ 1", ""),
    "pendulum": (1, "≥ 10", ""),
}


def install_torch(python):
    if python.exists() and subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
        return
    print("installing PyTorch into .torch (several minutes)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)


def run(command):
    output = subprocess.run([str(part) for part in command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout)


def ours(case, options):
    command = [STPN, "bench", "updates", "--case", case, "--threads", options.threads, "--json"]
    command += ["--device", options.device]
    report = run(command + ["--repeats", options.repeats, "--warmup", options.warmup])
    return report["updates"][0]


def theirs(case, python, options):
    command = [python, ROOT / "benches/torch_stpn.py", "--case", case, "--threads", options.threads]
    share = CASES[case][0] if options.device == "cpu" else 1
    command += ["--repeats", options.repeats, "--warmup", options.warmup, "--scale", share * options.scale]
    command += ["--device", options.device]
    return run(command)


def table(rows, device):
    header = ["case", "PyTorch s", "ours s", "times faster", "goal", "PyTorch MiB", "ours MiB", "goal"]
    header += ["env steps/s", "ns per synapse-step"]
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    for case, theirs, ours in rows:
        share, faster, memory = CASES[case]
        if device != "cpu":
            # Goals are those of the CPU.
            faster = memory = ""
        scaled = theirs["seconds"] / theirs["scale"]
        synapse = ours["ns_per_synapse_step"]
        note = "" if theirs["scale"] == 1 else f" (batch × {theirs['scale']:g})"
        lines.append(
            f"| {case} | {scaled:.4g}{note} | {ours['seconds']:.4g} | **{scaled / ours['seconds']:.1f}** | {faster} "
            f"| {theirs['peak_mib']:.0f}{note} | {ours['peak_mib']:.0f} | {memory} "
            f"| {ours['env_steps_per_second']:,.0f} | {'' if synapse is None else f'{synapse:.2f}'} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help="comma-separated")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--rounds", type=int, default=3, help="alternations of ours and PyTorch")
    parser.add_argument("--repeats", type=int, default=5, help="steps timed in a round")
    parser.add_argument("--warmup", type=int, default=4, help="steps before, not timed")
    parser.add_argument("--scale", type=float, default=1.0, help="further fraction of PyTorch's batch, for less memory")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--no-build", action="store_true", help="take target/release/stpn as it is")
    parser.add_argument("--out", type=pathlib.Path, help="also write the Markdown there")
    options = parser.parse_args()
    cases = options.cases.split(",")
    unknown = [case for case in cases if case not in CASES]
    if unknown:
        parser.error(f"unknown case {unknown[0]}; there are {', '.join(CASES)}")

    python = VENV / "bin" / "python"
    install_torch(python)
    if not options.no_build:
        features = [] if options.device == "cpu" else ["--features", "cuda"]
        subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "stpn", *features], cwd=ROOT, check=True)

    rows = []
    for case in cases:
        rounds = []
        for number in range(options.rounds):
            rounds.append((theirs(case, python, options), ours(case, options)))
            scaled = rounds[-1][0]["seconds"] / rounds[-1][0]["scale"]
            print(f"{case} {number + 1}/{options.rounds}: PyTorch {scaled:.4g} s, ours {rounds[-1][1]['seconds']:.4g} s",
                  file=sys.stderr)  # fmt: skip
        medians = []
        for side in zip(*rounds):
            merged = dict(side[0])
            for key in ("seconds", "peak_mib", "env_steps_per_second"):
                merged[key] = statistics.median(result[key] for result in side)
            if merged.get("ns_per_synapse_step") is not None:
                merged["ns_per_synapse_step"] = statistics.median(result["ns_per_synapse_step"] for result in side)
            medians.append(merged)
        rows.append((case, *medians))

    torch = rows[0][1]
    memory = "the whole process"
    if options.device != "cpu":
        memory = "the whole process, and of PyTorch's arrays on the device"
    text = f"""# One training step, beside plain PyTorch

{table(rows, options.device)}

Seconds of one training step: forward over the sequence, heads, loss, backward, clipping, Adam; medians of
{options.rounds} rounds of {options.repeats} steps after {options.warmup} uncounted ones, alternating. Memory is the
peak of {memory}. If PyTorch had a part of the batch, its time is divided by that part and its memory is as
measured. {torch["processor"]}, {options.threads} threads, PyTorch {torch["torch"]}, Python {torch["python"]},
{platform.system()} {platform.machine()}, commit {commit()}, {datetime.date.today()}. Made by
`scripts/compare_with_torch.py`.
"""
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
