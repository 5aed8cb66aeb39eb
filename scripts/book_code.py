#!/usr/bin/env python3
"""Runs the commands and the lines of Python that the book shows, so that none of them is out of date.

    python3 scripts/book_code.py target/debug/stpn [PAGE.md …]

A block of code below the line `<!-- run -->` is run, one below `<!-- file NAME -->` is written to that file. The blocks
of a page run one after the other in a folder of its own, which sees `checkpoints/` and `examples/`. `stpn` there does
what is asked of it, but for a few updates and episodes only, and `python` is the interpreter that runs this script.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"<!-- (run|file (\S+)) -->\n+```(\w+)[^\n]*\n(.*?)```", re.DOTALL)
TIMEOUT = 300  # seconds for a block

# Needs the package for Python, and is run where that is tested.
APART = ROOT / "docs/python.md"

# What is shortened: by command, the most that an option may ask for, and what it is if it is not given.
SHORT = {
    "train": {"--updates": 3},
    "resume": {"--updates": 4},
    "compare": {"--updates": 2, "--episodes": 4, "--seeds": 2},
    "eval": {"--episodes": 4},
    "play": {"--delay": 0},
}


def shortened(arguments):
    """The arguments of stpn, with less to do."""
    arguments = list(arguments)
    for option, most in SHORT.get(arguments[0] if arguments else "", {}).items():
        if option in arguments:
            value = arguments.index(option) + 1
            arguments[value] = str(min(int(arguments[value]), most))
        else:
            arguments += [option, str(most)]
    return arguments


def stand_in():
    """Called as `stpn` by a block: runs the program of the environment variable BOOK_STPN."""
    program = os.environ["BOOK_STPN"]
    os.execv(program, [program, *shortened(sys.argv[2:])])


def blocks(page):
    """What to do, the language and the text of a page's marked blocks."""
    for marked in BLOCK.finditer(page.read_text()):
        yield marked[2], marked[3], marked[4]


def run(name, page, environment):
    """Runs one page; returns how many blocks."""
    count = 0
    with tempfile.TemporaryDirectory() as directory:
        for linked in ("checkpoints", "examples"):
            (pathlib.Path(directory) / linked).symlink_to(ROOT / linked)
        for file, language, text in blocks(page):
            count += 1
            if file:
                (pathlib.Path(directory) / file).write_text(text)
                continue
            command = {"sh": ["bash", "-euo", "pipefail", "-c", text], "python": [sys.executable, "-c", text]}[language]
            where = {"cwd": directory, "env": environment}
            done = subprocess.run(command, **where, timeout=TIMEOUT, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{name}: this fails\n\n{text}\n{done.stdout}{done.stderr}")
    return count


def main():
    if sys.argv[1:2] == ["--stand-in"]:
        stand_in()
    program, *pages = [pathlib.Path(argument).resolve() for argument in sys.argv[1:]]
    pages = pages or [ROOT / "README.md", *sorted(set((ROOT / "docs").rglob("*.md")) - {APART})]
    total = 0
    with tempfile.TemporaryDirectory() as programs:
        stpn = pathlib.Path(programs) / "stpn"
        stpn.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{pathlib.Path(__file__).resolve()}" --stand-in "$@"\n')
        stpn.chmod(0o755)
        path = os.pathsep.join([programs, str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "PATH": path, "BOOK_STPN": str(program)}
        for page in pages:
            name = page.relative_to(ROOT).as_posix()
            count = run(name, page, environment)
            if count:
                print(f"{name}: {count} blocks", flush=True)
            total += count
    if total == 0:
        raise SystemExit("no page has code to run")


main()
