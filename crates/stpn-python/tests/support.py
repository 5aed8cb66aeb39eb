"""What the tests have in common."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

CHECKPOINTS = Path(__file__).resolve().parents[3] / "checkpoints"
"""The trained agents of the repository."""

AGENTS = ("maze-small-stpn", "cartpole-masked-stpn", "maze-small-fast-stpn", "maze-fast-stpn")
"""Those in environments that a wheel has: Atari and MuJoCo are left out of it."""


def stpn(*arguments, **options):
    """Runs a command of `stpn` as Python has it."""
    command = [sys.executable, "-m", "stpn", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def python(program, *arguments, **options):
    """Runs a program of Python."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ), **options)


def heeding(command):
    """Starts a command that heeds an interrupt, even where this process ignores them, as a shell's background jobs do."""

    def heed():
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed)


def parameters(path):
    """The tensors of a file of single precision in the format safetensors, by their names."""
    contents = path.read_bytes()
    (length,) = struct.unpack_from("<Q", contents)
    header = json.loads(contents[8 : 8 + length])
    header.pop("__metadata__", None)
    data = contents[8 + length :]
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = torch.from_numpy(np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]).copy())
    return tensors
