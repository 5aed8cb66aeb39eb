#!/usr/bin/env python3
"""Times `stpn.torch.STPN` beside the same cell in plain PyTorch, and beside the Rust call inside it, in one run.

    pip install torch wheels/stpn-*.whl      (a release wheel: docs/python.md tells how it is built)
    python3 scripts/python_speed.py [--cases maze,art,pong] [--threads 2] [--rounds 3] [--out FILE]

A pass is forward over a sequence and backward from a given gradient of the activities. Every measurement is a
process of its own, so that its peak of memory is its own; the programs take turns, round by round. PyTorch's cell is the
one of `benches/torch_stpn.py`. Where its memory would not hold a whole batch it gets a part, and its time and memory are
scaled up: in its favour. Prints a table in Markdown.
"""

import argparse
import datetime
import json
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

from provenance import commit, processor

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benches"))

# Steps T, batch B, inputs I, units H, options of both cells, and the part of the batch that PyTorch gets.
CASES = {
    "maze": (200, 512, 17, 55, {"normalize_state": "after", "clamp": 1.0}, {"normalize": "after", "bound": 1.0}, 0.125),
    "art": (9, 128, 37, 11, {}, {"normalize": "before"}, 1.0),
    "pong": (50, 64, 2592, 64, {}, {"normalize": "before"}, 0.125),
}


def peak():
    """MiB of this process at its largest."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def timed(run, repeats):
    """Seconds of each repeat after a first one, which is not counted."""
    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]


def ours(case, repeats, threads):
    """Passes of `stpn.torch.STPN` and of the Rust call in turns."""
    import stpn.torch
    import torch

    torch.set_num_threads(threads)
    stpn.set_num_threads(threads)
    steps, batch, inputs, units, options, _, _ = CASES[case]
    torch.manual_seed(0)
    layer = stpn.torch.STPN(inputs, units, **options)
    x, gradient = torch.randn(steps, batch, inputs), torch.randn(steps, batch, units)
    before = peak()

    def run():
        for parameter in layer.parameters():
            parameter.grad = None
        output, _ = layer(x)
        output.backward(gradient)

    packed = torch.cat([parameter.detach().reshape(-1) for parameter in layer.parameters()]).numpy()
    state = torch.cat([field.reshape(batch, -1) for field in layer.zero_state(batch)], 1).numpy()
    timed(run, 1)
    memory = peak() - before
    seconds, inside = [], []
    for _ in range(repeats):
        seconds += timed(run, 1)
        inside += layer._layer.seconds(packed, x.numpy(), state, 2)[1:]
    return {"seconds": seconds, "inside": inside, "mib": memory}


def theirs(case, repeats, threads):
    """Passes of the cell in plain PyTorch."""
    import torch
    from torch_stpn import ShortTermPlasticity

    torch.set_num_threads(threads)
    steps, batch, inputs, units, _, options, part = CASES[case]
    batch = int(batch * part)
    torch.manual_seed(0)
    cell = ShortTermPlasticity(inputs, units, **options)
    x, gradient = torch.randn(steps, batch, inputs), torch.randn(steps, batch, units)
    before = peak()

    def run():
        for parameter in cell.parameters():
            parameter.grad = None
        state, outputs = cell.zero_state(batch), []
        for row in x:
            hidden, state = cell(row, state)
            outputs.append(hidden)
        torch.stack(outputs).backward(gradient)

    seconds = timed(run, repeats)
    return {"seconds": [value / part for value in seconds], "mib": (peak() - before) / part, "torch": torch.__version__}


def child(kind, case, o):
    command = [sys.executable, __file__, "--child", kind, "--cases", case, f"--repeats={o.repeats}"]
    done = subprocess.run([*command, f"--threads={o.threads}"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help="comma-separated")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3, help="passes timed in a round")
    parser.add_argument("--child", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    parser.add_argument("--wheel", metavar="COMMIT", help="what the wheel was built from, if not from this commit")
    parser.add_argument("--out", type=pathlib.Path, help="a file for the table")
    o = parser.parse_args()
    if o.child:
        print(json.dumps({"ours": ours, "theirs": theirs}[o.child](o.cases, o.repeats, o.threads)))
        return
    lines = [
        "| case | T × B, I, H | PyTorch s | stpn.torch s | times faster | PyTorch MiB | stpn.torch MiB | part of the memory "
        "| over the Rust call |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for case in o.cases.split(","):
        steps, batch, inputs, units, _, _, part = CASES[case]
        rounds = []
        for _ in range(o.rounds):
            rounds.append((child("theirs", case, o), child("ours", case, o)))
            theirs_s, ours_s = (statistics.median(side["seconds"]) for side in rounds[-1])
            print(f"{case}: PyTorch {theirs_s:.4g} s, stpn.torch {ours_s:.4g} s", file=sys.stderr, flush=True)

        def median(side, key):
            return statistics.median(value for pair in rounds for value in pair[side][key])

        faster = statistics.median(
            statistics.median(pair[0]["seconds"]) / statistics.median(pair[1]["seconds"]) for pair in rounds
        )
        memory = [statistics.median(pair[side]["mib"] for pair in rounds) for side in (0, 1)]
        over = statistics.median(
            outside / inside - 1
            for _, side in rounds
            for outside, inside in zip(side["seconds"], side["inside"])
        )
        note = "" if part == 1 else f" (from {int(batch * part)} of {batch})"
        lines.append(
            f"| {case} | {steps} × {batch}, {inputs}, {units} | {median(0, 'seconds'):.4g}{note} "
            f"| {median(1, 'seconds'):.4g} | **{faster:.1f}** | {memory[0]:,.0f}{note} | {memory[1]:,.0f} "
            f"| 1/{memory[0] / max(memory[1], 0.1):.0f} | {100 * over:+.1f} % |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    import stpn

    lines.append(
        f"\nForward and backward, single precision; medians of {o.rounds} rounds of {o.repeats} passes, in turns; seed 0. "
        f"Memory is the growth of a process's peak over what it holds before. {processor()}, {o.threads} threads, PyTorch "
        f"{rounds[0][0]['torch']}, Python {platform.python_version()}, stpn {stpn.__version__}, commit "
        f"{commit()}{f', wheel of {o.wheel}' if o.wheel else ''}, {datetime.date.today()}. Made by `scripts/python_speed.py`."
    )
    text = "\n".join(lines) + "\n"
    print(text)
    if o.out:
        o.out.write_text(text)


if __name__ == "__main__":
    main()
