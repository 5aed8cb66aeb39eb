"""Interrupts training in every way that a batch system, a shell or a person does, and says what was left.

    cargo build --release                                  # with --features mpi for runs on two ranks
    python3 scripts/interruptions.py [--times 20] [--stpn target/release/stpn] [--only SUBSTRING]

Every cell of the table is how many of the attempts ended by themselves within half a minute and left, of every run that
had begun, a sound checkpoint not older than the last update that was logged. Exit code 1 where one did not.

On several ranks a second signal makes `mpirun` kill them at once. What is then left is the last of the checkpoints that
`checkpoint.every` asks for, and the attempt is held to that.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = "rollout.environments=16 rollout.steps=20 log.every=1".split()
# Updates between checkpoints on several ranks; on one there is none before the end.
EVERY = 5
LONG = ["--updates", "1000000"]
PATIENCE = 30.0


def sets(settings):
    return [word for setting in settings for word in ("--set", setting)]


class Command:
    """One of the commands that train, in a folder of its own."""

    def __init__(self, stpn, kind, ranks, folder):
        self.folder, self.ranks = folder, ranks
        mpirun = ["mpirun", "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
        self.run = folder / "run"
        settings = sets([*SETTINGS, f"checkpoint.every={EVERY if ranks > 1 else 1000000}"])
        train = [stpn, "train", "maze-small", "--hidden", "8", "--threads", "1", *settings]
        comparison = ["--seeds", "1", "--jobs", "2", "--threads", "2", *settings, *LONG]
        if kind == "train":
            self.words = [*mpirun, *train, *LONG, "--run-dir", self.run]
        elif kind == "resume":
            subprocess.run([*mpirun, *train, "--updates", "3", "--run-dir", self.run], check=True, capture_output=True,
                           env=environment())
            self.words = [*mpirun, stpn, "resume", self.run, *LONG]
        elif kind == "compare":
            self.words = [stpn, "compare", "maze-small", "--cells", "rnn,lstm", *comparison, "--out", self.run]
        else:
            self.words = [stpn, "reproduce", "maze", "--cells", "rnn,lstm", *comparison, "--runs", self.run,
                          "--out", folder / "tables"]
        self.words = [str(word) for word in self.words]

    def runs(self):
        """The directories of runs that have begun."""
        # Checkpoints that are being written come and go meanwhile: `os.walk` passes over what is gone.
        walk = ((Path(folder), files) for folder, _, files in os.walk(self.folder))
        return [folder for folder, files in walk if "config.toml" in files and "checkpoints" not in folder.parts]

    def logged(self, run):
        try:
            lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return 0
        return max((json.loads(line)["update"] for line in lines if line.endswith("\n")), default=0)

    def begun(self, more):
        """Whether every run that is there has logged `more` updates."""
        runs = self.runs()
        done = 3 if "resume" in self.words else 0
        return bool(runs) and all(self.logged(run) >= done + more for run in runs)

    def lost(self):
        """Updates that were logged and are in no checkpoint, at most over all runs."""
        worst = 0
        for run in self.runs():
            checkpoints = run / "checkpoints"
            try:
                latest = checkpoints / (checkpoints / "latest").read_text().strip()
                saved = json.loads((latest / "manifest.json").read_text())["update"]
            except FileNotFoundError:
                saved = 0
            worst = max(worst, self.logged(run) - saved)
        return worst


def environment():
    return {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def start(words, output=subprocess.DEVNULL, prefix=()):
    return subprocess.Popen([*prefix, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                            start_new_session=True, env=environment())


def wait_for(command, process, more=2):
    deadline = time.monotonic() + 120
    while not command.begun(more):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{command.words}: ended or did not begin ({process.poll()})")
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.2))


def signalled(*signals, group=False, pause=0.05):
    """Sends signals to the process, one after another; each to its whole group too where asked for."""
    def attempt(command):
        process = start(command.words)
        wait_for(command, process)
        for number in signals:
            process.send_signal(number)
            if group:
                os.killpg(process.pid, number)
            time.sleep(pause)
        return process
    return attempt


def timeout(command):
    """`timeout` signals its child and then its group; it waits as long as a run takes to begin, at least."""
    process = start(command.words, prefix=["timeout", "4"])
    wait_for(command, process)
    return process


def nohup(command):
    """A hang-up must change nothing; TERM then ends it. `mpirun` does not heed nohup, and ends its ranks at a hang-up."""
    process = start(command.words, prefix=["nohup"])
    wait_for(command, process)
    os.killpg(process.pid, signal.SIGHUP)
    if command.ranks > 1:
        return process
    before = command.logged(command.runs()[0])
    wait_for(command, process, more=before + 3)
    process.terminate()
    return process


def reader_gone(command):
    """The reader takes a line and goes."""
    read, write = os.pipe()
    process = start(command.words, output=write)
    os.close(write)
    os.read(read, 1)
    os.close(read)
    wait_for(command, process)
    process.terminate()
    return process


def reader_asleep(command):
    """The reader reads nothing, and the pipe is full from the beginning."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"\n" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    process = start(command.words, output=write)
    os.close(write)
    wait_for(command, process)
    process.terminate()
    if command.ranks > 1:
        # `mpirun` itself waits for its reader, when its ranks have long ended.
        time.sleep(3)
        os.close(read)
    else:
        process.pipe = read
    return process


def full_disk(command):
    with open("/dev/full", "w") as full:
        process = start(command.words, output=full)
    wait_for(command, process)
    process.terminate()
    return process


DISTURBANCES = {
    "INT": signalled(signal.SIGINT),
    "TERM": signalled(signal.SIGTERM),
    "HUP": signalled(signal.SIGHUP),
    "USR1, then TERM": signalled(signal.SIGUSR1, signal.SIGTERM, pause=0.5),
    "INT twice": signalled(signal.SIGINT, signal.SIGINT),
    "TERM and INT": signalled(signal.SIGTERM, signal.SIGINT),
    "TERM to process and group": signalled(signal.SIGTERM, group=True),
    "timeout": timeout,
    "nohup, HUP, TERM": nohup,
    "reader gone, TERM": reader_gone,
    "reader asleep, TERM": reader_asleep,
    "/dev/full, TERM": full_disk,
}


# At the second of these signals `mpirun` kills its ranks; `timeout` signals it, and then its group, in which it is too.
KILLING = ["INT twice", "TERM and INT", "timeout"]


def attempt(stpn, kind, ranks, name):
    """Updates lost and seconds to the end, or why it failed."""
    bound = EVERY if ranks > 1 and name in KILLING else 0
    folder = Path(tempfile.mkdtemp(prefix="stpn-interruptions-"))
    process = None
    try:
        command = Command(stpn, kind, ranks, folder)
        process = DISTURBANCES[name](command)
        asked = time.monotonic()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return f"did not end within {PATIENCE:.0f} s"
        seconds = time.monotonic() - asked
        lost = command.lost()
        return (lost, seconds) if lost <= bound else f"{lost} updates lost"
    except RuntimeError as error:
        return str(error)
    finally:
        if process is not None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            if hasattr(process, "pipe"):
                os.close(process.pipe)
        shutil.rmtree(folder, ignore_errors=True)


def has_ranks(stpn):
    """Whether two ranks can train together here."""
    if shutil.which("mpirun") is None:
        return False
    words = ["mpirun", "--oversubscribe", "-n", "2", stpn, "bench", "exchange", "--repeats", "1"]
    return subprocess.run(words, capture_output=True, env=environment()).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--stpn", default="target/release/stpn")
    parser.add_argument("--only", default="", help="commands and disturbances whose line has this in it")
    arguments = parser.parse_args()
    stpn = str(Path(arguments.stpn).resolve())
    columns = [("train", 1), ("resume", 1), ("compare", 1), ("reproduce", 1)]
    if has_ranks(stpn):
        columns += [("train", 2), ("resume", 2)]
    failures = []
    names = [kind if ranks == 1 else f"{kind}, {ranks} ranks" for kind, ranks in columns]
    print(f"| disturbance | {' | '.join(names)} |\n|---|{'---|' * len(names)}", flush=True)
    for name in DISTURBANCES:
        cells = []
        for (kind, ranks), column in zip(columns, names):
            if arguments.only not in f"{name}: {column}":
                cells.append("-")
                continue
            results = [attempt(stpn, kind, ranks, name) for _ in range(arguments.times)]
            good = [result for result in results if isinstance(result, tuple)]
            failures += [f"{name}, {column}: {result}" for result in results if isinstance(result, str)]
            longest = max((seconds for _, seconds in good), default=float("nan"))
            cells.append(f"{len(good)}/{len(results)}, {longest:.1f} s")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print("\nIn every cell: attempts that left a checkpoint of the last logged update, and the longest time to the end. On "
          f"ranks, {' and '.join(KILLING)}: a checkpoint at most {EVERY} updates old, as checkpoint.every asks.")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
