"""What the tests have in common."""

import json
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import stpn as package
import torch

CHECKPOINTS = Path(__file__).resolve().parents[3] / "checkpoints"
"""The trained agents of the repository."""

AGENTS = (
    "maze-small-stpn",
    "cartpole-masked-stpn",
    "maze-small-fast-stpn",
    "maze-fast-stpn",
    "maze-stpn",
    "maze-lstm",
)
"""Those in environments that every wheel has."""

OTHERS = {
    "hopper-stpnf": "hopper",
    "half-cheetah-stpnf": "half-cheetah",
    "inverted-pendulum-stpnf": "inverted-pendulum",
    "pong-deepmind-stpn": "atari",
}
"""The environment of the others: Atari and MuJoCo are left out of a wheel, unless it is built for tests alone."""


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


def trained(folder, preset, changes, **options):
    """A network of a few units after two updates."""
    changes = {section: dict(values) for section, values in changes.items()}
    changes.setdefault("policy", {})["hidden"] = 7
    rollout = {"environments": 4, "steps": 16, "sequence_length": 16}
    changes["algorithm"] = {"minibatch_size": 32}
    config = merged(package.config(preset, updates=2, threads=1, **options), {**changes, "rollout": rollout})
    return package.Agent.load(package.train(config, run_dir=folder).directory, seed=1)


def merged(config, changes):
    """A configuration with other keys in it. What has another name has none of the old one's keys."""
    config = dict(config)
    for key, value in changes.items():
        section = isinstance(value, dict) and "name" not in value
        config[key] = merged(config.get(key, {}), value) if section else value
    return config


def forked(work):
    """What `work` returns in a process that is forked from this one; an exception that it raises is raised here."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def report():
        try:
            theirs.send((work(), None))
        except Exception as error:
            theirs.send((None, error))
        except BaseException as error:
            # A panic is no exception that could be sent.
            theirs.send((None, RuntimeError(repr(error))))

    child = context.Process(target=report)
    child.start()
    try:
        if not ours.poll(timeout=60):
            raise AssertionError("a forked process waits forever")
        result, error = ours.recv()
    finally:
        child.kill()
        child.join()
    if error is not None:
        raise error
    return result
