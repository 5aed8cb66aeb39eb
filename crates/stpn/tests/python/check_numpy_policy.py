"""Checks examples/numpy_policy.py: what it makes of an agent is what stpn makes of it.

    python check_numpy_policy.py path/to/stpn

Its cells must give the recorded activities and states of crates/stpn-core/tests/golden, the shipped agents the returns
of their table in checkpoints/README.md, and freshly trained ones those of `stpn eval`. Needs numpy, safetensors and
gymnasium[mujoco].
"""

import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "examples"))
sys.dont_write_bytecode = True
import numpy_policy  # noqa: E402

# Standard errors of the difference of two means that are allowed, as in crates/stpn/tests/program/trained_agents.rs.
ERRORS = 4.0

# Episodes that are played of each agent: few, since an episode can be a thousand steps.
SHIPPED = {"cartpole-masked-stpn": 30, "half-cheetah-stpnf": 4, "hopper-stpnf": 6, "inverted-pendulum-stpnf": 6}

# What no shipped agent has: an encoder, and a deviation that depends on the observation.
TRAINED = {
    "mlp behind an encoder": ["cartpole", "--cell", "mlp", "--set", "policy.encoder.name=mlp"],
    "scaled input": ["cartpole", "--cell", "stpn", "--set", "policy.encoder.name=mlp", "--set", "policy.input_scale=3.0"],
    "softplus deviation": ["cartpole", "--cell", "stpnf", "--set", "env.name=pendulum",
                           "--set", "env.max_episode_steps=200"],
}
EPISODES = 20


def check_cell(case):
    """One recorded case, step by step; false for a cell that the example has not got."""
    options = {key: value for key, value in json.loads(case.read_text()).items() if value is not None}
    arrays = load_file(case.with_suffix(".safetensors"))
    parameters, states = numpy_policy.below("param.", arrays), numpy_policy.below("state.", arrays)
    if options["cell"] not in numpy_policy.CELLS:
        return False
    options.setdefault("layer_norm", False)
    options["split"] = "weight_ih" in parameters
    for element in range(options["batch"]):
        cell = numpy_policy.CELLS[options["cell"]](options, parameters, options["input"], options["hidden"])
        for name, state in numpy_policy.below("state0.", arrays).items():
            setattr(cell, name, state[element])
        for t, x in enumerate(arrays["x"][:, element]):
            got = {"h": (cell.step(x), arrays["h"])} | {name: (getattr(cell, name), states[name]) for name in states}
            for name, (ours, recorded) in got.items():
                error = abs(ours - recorded[t, element]).max()
                assert error < 1e-12, f"{case.stem}: {name} of step {t} is off by {error}"
    return True


def table():
    """Episodes, mean return and standard deviation by agent."""
    rows = re.findall(r"^\| \[(\S+)\].*?\| (\d+) \| (\S+) \| (\S+) \|[^|]*\|$",
                      (ROOT / "checkpoints/README.md").read_text(), re.MULTILINE)
    return {name: (int(episodes), float(mean), float(deviation)) for name, episodes, mean, deviation in rows}


def mean_return(agent, episodes):
    """By the example, as a reader would call it."""
    command = [sys.executable, ROOT / "examples/numpy_policy.py", agent, "--episodes", str(episodes)]
    with tempfile.TemporaryDirectory() as folder:  # MuJoCo leaves a log where it runs
        printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout
    return float(re.search(r"return (\S+),", printed).group(1))


def compare(name, agent, episodes, theirs):
    """That many episodes by numpy beside stpn's number of episodes, mean and standard deviation."""
    ours = mean_return(agent, episodes)
    their_episodes, mean, deviation = theirs
    allowed = ERRORS * deviation * math.sqrt(1 / episodes + 1 / their_episodes) + 0.005 * abs(mean) + 0.01
    assert abs(ours - mean) <= allowed, f"{name}: {ours} by numpy, {mean} by stpn, ± {allowed:.2f}"
    print(f"{name}: {ours:.2f} by numpy, {mean:.2f} by stpn, ± {allowed:.2f} allowed")


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    cases = sorted((ROOT / "crates/stpn-core/tests/golden").glob("*.json"))
    checked = [case.stem for case in cases if check_cell(case)]
    linear = ("linear-recurrent", "linear-attention", "delta-rule")
    for cell in ("stpn-", "stpnf-", "lstm", "gru", "rnn", *linear, "frame-stack"):
        assert any(case.startswith(cell) for case in checked), f"no recorded case of {cell} was checked"
    print(f"{len(checked)} of {len(cases)} recorded cases agree")

    known = table()
    for name, episodes in SHIPPED.items():
        compare(name, ROOT / "checkpoints" / name, episodes, known[name])
    with tempfile.TemporaryDirectory() as directory:
        for name, arguments in TRAINED.items():
            run = pathlib.Path(directory) / name.replace(" ", "-")
            train = [binary, "train", *arguments, "--updates", "15", "--run-dir", run, "--set", "evaluation.every=0"]
            subprocess.run(train, check=True, capture_output=True)
            evaluate = [binary, "eval", run, "--episodes", "100", "--json"]
            result = json.loads(subprocess.run(evaluate, check=True, capture_output=True).stdout)
            compare(name, run, EPISODES, (100, result["mean_return"], result["std_return"]))


main()
