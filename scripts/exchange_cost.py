#!/usr/bin/env python3
"""What the exchange between ranks costs: its share of an update for maze and pong, two ranks with one thread each
beside one process with two threads, and the model of docs/ranks.md beside what was measured.

    cargo xtask setup && cargo build --release --features atari,mpi
    python3 scripts/exchange_cost.py [--write docs/ranks.md]

Prints Markdown; `--write` puts it between the marks in that file. Takes about three minutes on two idle cores, and says
nothing on busy ones: a rank then waits for the one that was interrupted. STPN_MPIRUN names another mpirun, such as that
of scripts/two_hosts.sh.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

from provenance import commit, processor

ROOT = pathlib.Path(__file__).resolve().parent.parent
MARKS = "<!-- made by scripts/exchange_cost.py -->", "<!-- end -->"

# Environments of the whole job, and updates of one run.
TASKS = {"maze": (512, 30), "pong": (64, 10)}

# Updates at the start of a run that do not count.
WARMUP = 3


def mpirun(ranks, *command):
    launcher = os.environ.get("STPN_MPIRUN", "mpirun --oversubscribe").split()
    environment = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return run([*launcher, "-n", ranks, *command], environment)


def run(command, environment=None):
    command = [str(part) for part in command]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def train(options, task, ranks):
    """Updates of a run on so many ranks with one thread each, or in one process with two threads."""
    environments, updates = TASKS[task]
    with tempfile.TemporaryDirectory() as folder:
        directory = pathlib.Path(folder) / "run"
        command = [options.stpn, "train", task, "--updates", updates + WARMUP, "--run-dir", directory]
        command += ["--set", f"rollout.environments={environments // ranks}", "--set", "log.every=1"]
        # Without the updates that only fill statistics: nothing is exchanged in them.
        command += ["--set", "evaluation.every=0", "--set", "training.warmup_updates=0"]
        command += ["--threads", 1 if ranks > 1 else 2]
        mpirun(ranks, *command) if ranks > 1 else run(command)
        lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
        newest = directory / "checkpoints" / (directory / "checkpoints/latest").read_text().strip()
        return lines[WARMUP:], parameters(newest / "parameters.safetensors")


def parameters(path):
    """Number of parameters in a checkpoint."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(tensor["data_offsets"][1] - tensor["data_offsets"][0] for tensor in header.values()
               if "data_offsets" in tensor) // 4


def measure(options, task):
    """Both kinds of run in turn."""
    ranks, threads = [], []
    for _ in range(options.rounds):
        lines, count = train(options, task, 2)
        ranks += lines
        threads += train(options, task, 1)[0]
    total = [line["time/rollout_seconds"] + line["time/learn_seconds"] for line in ranks]
    exchange = [line["time/exchange_seconds"] for line in ranks]
    speed = [statistics.median(line["charts/SPS"] for line in lines) for lines in (ranks, threads)]
    return {
        "parameters": count,
        "update": statistics.median(total),
        "compute": statistics.median(t - e for t, e in zip(total, exchange)),
        "exchange": statistics.median(exchange),
        "least": min(exchange),
        "ratio": speed[0] / speed[1],
    }


def model(options):
    """Latency α of a message and bandwidth β of the model, between these two ranks."""
    sums = json.loads(mpirun(2, options.stpn, "bench", "exchange", "--json"))["sums"]
    shortest, longest = sums[0], sums[-1]
    alpha = shortest["seconds"] / 2
    return alpha, 8 * longest["elements"] / (longest["seconds"] - shortest["seconds"])


def report(results, alpha, beta):
    lines = [
        "| task | parameters | update s | exchange, waiting included | least of any update | the model's exchange "
        "| efficiency by the model | 1 − exchange | 2 × 1 thread against 1 × 2 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for task, row in results.items():
        predicted = 2 * alpha + 8 * row["parameters"] / beta
        efficiency = row["compute"] / (row["compute"] + predicted)
        share = row["exchange"] / row["update"]
        lines.append(
            f"| {task} | {row['parameters']:,} | {row['update']:.3f} | {1e3 * row['exchange']:.2f} ms, {share:.2%} "
            f"| {1e3 * row['least']:.2f} ms | {1e3 * predicted:.2f} ms | {efficiency:.4f} | {1 - share:.4f} "
            f"| **{row['ratio']:.2f}** |"
        )
    lines += [
        "",
        f"Two ranks with one thread each on {processor()}, {os.cpu_count()} cores, commit {commit()}: medians over "
        f"updates. Between them α = {1e6 * alpha:.1f} µs and β = {beta / 1e9:.2f} GB/s (`stpn bench exchange`). The "
        "exchange measured also has the wait for the slower rank and the smaller exchanges in it, which are not told "
        "apart here; the model leaves out both.",
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stpn", default=ROOT / "target/release/stpn", help="the program, built with atari,mpi")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each kind, in turn")
    parser.add_argument("--task", action="append", choices=list(TASKS), help="only this one")
    parser.add_argument("--write", type=pathlib.Path, help="the document to put the result into")
    options = parser.parse_args()
    alpha, beta = model(options)
    results = {task: measure(options, task) for task in options.task or TASKS}
    text = report(results, alpha, beta)
    print(text)
    if options.write:
        document = options.write.read_text()
        begin, end = (document.index(mark) for mark in MARKS)
        options.write.write_text(f"{document[:begin]}{MARKS[0]}\n{text}\n{document[end:]}")


if __name__ == "__main__":
    main()
