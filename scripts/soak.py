#!/usr/bin/env python3
"""A long run: memory and open files over time, and the slope of memory.

    python3 scripts/soak.py                       # 20,000 updates of maze-small
    python3 scripts/soak.py --minutes 10

Builds in release mode, trains below a temporary folder, and samples /proc every second. Prints one JSON object:
resident memory at the beginning (after a tenth of the run) and at the end, its slope by least squares in KiB an hour
and in bytes an update, the largest number of open files, and the longest time for which the event file did not grow.
Fails where memory grows by more than 5 % after the first tenth, or open files grow.
"""

import argparse
import json
import pathlib
import platform
import signal
import subprocess
import tempfile
import time

from provenance import commit

ROOT = pathlib.Path(__file__).resolve().parent.parent


def sample(pid, run):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    files = len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
    return {"time": time.monotonic(), "rss_kib": rss, "files": files, "event_bytes": event_bytes(run)}


def event_bytes(run):
    return sum(path.stat().st_size for path in run.glob("events.out.tfevents.*"))


def slope(xs, ys):
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((a - x) ** 2 for a in xs)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / spread if spread else 0.0


def longest_pause(samples):
    """Longest time in which the event file did not grow."""
    longest, since = 0.0, samples[0]["time"]
    for before, after in zip(samples, samples[1:]):
        if after["event_bytes"] > before["event_bytes"]:
            longest, since = max(longest, after["time"] - since), after["time"]
    return max(longest, samples[-1]["time"] - since)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="maze-small")
    parser.add_argument("--updates", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--binary", type=pathlib.Path, help="a stpn that is built already")
    arguments = parser.parse_args()
    binary = arguments.binary
    if binary is None:
        subprocess.run(["cargo", "build", "--release", "--package", "stpn"], cwd=ROOT, check=True)
        binary = ROOT / "target/release/stpn"
    with tempfile.TemporaryDirectory() as directory:
        run = pathlib.Path(directory) / "run"
        command = [binary, "train", arguments.preset, "--updates", str(arguments.updates), "--run-dir", run]
        command += [word for setting in arguments.set for word in ("--set", setting)]
        training = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        samples, start = [], time.monotonic()
        while training.poll() is None:
            try:
                samples.append(sample(training.pid, run))
            except (OSError, StopIteration):  # it has ended
                break
            if arguments.minutes and time.monotonic() - start > 60 * arguments.minutes:
                training.send_signal(signal.SIGINT)
                break
            time.sleep(1)
        code = training.wait()
        rows = (run / "metrics.jsonl").read_text().splitlines() if code in (0, 130) else []
        updates = json.loads(rows[-1])["update"] if rows else 0
    assert code in (0, 130), f"the run failed with {code}"
    settled = samples[len(samples) // 10 :]
    seconds = [s["time"] for s in settled]
    kib_per_second = slope(seconds, [s["rss_kib"] for s in settled])
    per_update = (samples[-1]["time"] - samples[0]["time"]) / max(updates, 1)
    first, last = settled[0], settled[-1]
    print(json.dumps({
        "preset": arguments.preset,
        "updates": updates,
        "minutes": round((last["time"] - samples[0]["time"]) / 60, 2),
        "rss_mib_at_a_tenth": round(first["rss_kib"] / 1024, 1),
        "rss_mib_at_the_end": round(last["rss_kib"] / 1024, 1),
        "rss_mib_most": round(max(s["rss_kib"] for s in samples) / 1024, 1),
        "slope_kib_per_hour": round(kib_per_second * 3600, 1),
        "slope_bytes_per_update": round(kib_per_second * per_update * 1024, 2),
        "open_files": [min(s["files"] for s in settled), max(s["files"] for s in settled)],
        "event_file_pause_seconds": round(longest_pause(samples), 1),
        "machine": platform.machine() + " " + platform.system(),
        "commit": commit(),
    }, indent=2))
    assert last["rss_kib"] <= 1.05 * first["rss_kib"], "memory grows"
    assert max(s["files"] for s in settled[len(settled) // 2 :]) <= max(s["files"] for s in settled[: len(settled) // 2 + 1]) + 2, \
        "open files grow"


if __name__ == "__main__":
    main()
