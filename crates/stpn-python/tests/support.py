"""What the tests have in common."""

import os
import subprocess
import sys
from pathlib import Path

CHECKPOINTS = Path(__file__).resolve().parents[3] / "checkpoints"
"""The trained agents of the repository."""

AGENTS = ("maze-small-stpn", "cartpole-masked-stpn")
"""Those in environments that a wheel has: Atari and MuJoCo are left out of it."""


def stpn(*arguments, **options):
    """Runs a command of `stpn` as Python has it."""
    command = [sys.executable, "-m", "stpn", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def python(program, *arguments, **options):
    """Runs a program of Python."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ), **options)
