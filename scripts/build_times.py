#!/usr/bin/env python3
"""What a first build costs, crate by crate: seconds of processor time of every compiler process.

    python3 scripts/build_times.py [--out FILE] [--keep FOLDER] [-- ARGUMENTS OF CARGO]

Builds the program from nothing in a folder of its own, by default as `cargo run --release` does. Counts the time that
each process spends on processors (user and system, its threads included), so that other work on the machine weighs
little; the time on the clock is printed beside it. Prints a table in Markdown with machine and commit.
Needs Python 3 and cargo.
"""

import argparse
import collections
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from provenance import commit, processor

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHOWN = 20
LOG = "STPN_BUILD_TIMES"


def compile_one(command):
    """Stands in for the compiler (`RUSTC_WRAPPER`): runs it, and notes what it used."""
    # The compiler shares the threads that cargo hands out through open files.
    status = subprocess.run(command, close_fds=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if "--crate-name" in command:
        name = command[command.index("--crate-name") + 1]
        # A line of this length is appended whole, whatever else appends beside it.
        with open(os.environ[LOG], "a") as log:
            log.write(json.dumps({"crate": name, "seconds": used.ru_utime + used.ru_stime}) + "\n")
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="file that gets the table too")
    parser.add_argument("--keep", help="folder to build in, which must be empty; by default one that is removed")
    parser.add_argument("cargo", nargs="*", default=["build", "--release"], help="default: build --release")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(arguments.keep or temporary)
        log = folder / "compilers.jsonl"
        if folder.exists() and any(folder.iterdir()):
            sys.exit(f"{folder} is not empty: a build in it would not be one from nothing")
        folder.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ, RUSTC_WRAPPER=str(pathlib.Path(__file__).resolve()), CARGO_TARGET_DIR=str(folder))
        environment[LOG] = str(log)
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(["cargo", *arguments.cargo], cwd=ROOT, env=environment, check=True)
        clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        entries = [json.loads(line) for line in log.read_text().splitlines()]
    seconds = collections.Counter()
    for entry in entries:
        # Programs that a build runs are compiled under one name; they are told apart by nothing here.
        seconds[entry["crate"].replace("build_script_build", "build scripts")] += entry["seconds"]
    compiled = sum(seconds.values())
    lines = [
        f"`cargo {' '.join(arguments.cargo)}` from nothing, commit {commit()}, {processor()}: "
        f"{whole / 60:.1f} minutes of processor time in {clock / 60:.1f} minutes, {len(entries)} compilations.",
        "",
        "| crate | seconds of processor time | share |",
        "| --- | ---: | ---: |",
    ]
    lines += [f"| {name} | {time:.1f} | {time / compiled:.1%} |" for name, time in seconds.most_common(SHOWN)]
    rest = sum(time for _, time in seconds.most_common()[SHOWN:])
    lines.append(f"| {len(seconds) - SHOWN} others | {rest:.1f} | {rest / compiled:.1%} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out:
        pathlib.Path(arguments.out).write_text(text)


if __name__ == "__main__":
    # Cargo calls the wrapper with the path of the compiler first.
    if LOG in os.environ and len(sys.argv) > 1:
        sys.exit(compile_one(sys.argv[1:]))
    main()
