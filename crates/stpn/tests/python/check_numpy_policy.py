"""Checks examples/numpy_policy.py: what it makes of an agent is what stpn makes of it.

    python check_numpy_policy.py path/to/stpn

The shipped agents are compared with their table in checkpoints/README.md, freshly trained ones of other cells with
`stpn eval`. Needs numpy and gymnasium[mujoco].
"""

import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[4]

# Standard errors of the difference of two means that are allowed, as in crates/stpn/tests/trained_agents.rs.
ERRORS = 4.0

# Episodes that are played of each agent: few, since an episode can be a thousand steps.
SHIPPED = {"cartpole-masked-stpn": 30, "half-cheetah-stpnf": 4, "hopper-stpnf": 6, "inverted-pendulum-stpnf": 6}
EPISODES = 20

# What to train besides: every other cell of the example, both layouts, an encoder, and continuous actions.
TRAINED = {
    "lstm": ["cartpole", "--cell", "lstm"],
    "lstm, split, layer norm": ["cartpole", "--cell", "lstm", "--set", "policy.cell.split=true",
                                "--set", "policy.cell.layer_norm=true"],
    "gru": ["cartpole", "--cell", "gru"],
    "rnn": ["cartpole", "--cell", "rnn"],
    "rnn, split": ["cartpole", "--cell", "rnn", "--set", "policy.cell.split=true"],
    "mlp behind an encoder": ["cartpole", "--cell", "mlp", "--set", "policy.encoder.name=mlp"],
    "every option of the stpn": ["cartpole", "--cell", "stpn", "--set", "policy.cell.rule=oja",
                                 "--set", "policy.cell.decay=all", "--set", "policy.cell.plastic=recurrent",
                                 "--set", "policy.cell.granularity=presynaptic", "--set", "policy.cell.norm_of=F",
                                 "--set", "policy.cell.layer_norm=true", "--set", "policy.cell.plastic_bias=true"],
    "softplus deviation": ["cartpole", "--cell", "stpnf", "--set", "env.name=pendulum",
                           "--set", "env.max_episode_steps=200"],
}


def table():
    """Episodes, mean return and standard deviation by agent."""
    rows = re.findall(r"^\| \[(\S+)\].*?\| (\d+) \| (\S+) \| (\S+) \|[^|]*\|$",
                      (ROOT / "checkpoints/README.md").read_text(), re.MULTILINE)
    return {name: (int(episodes), float(mean), float(deviation)) for name, episodes, mean, deviation in rows}


def numpy_policy(agent, episodes):
    """Mean return by the example."""
    command = [sys.executable, ROOT / "examples/numpy_policy.py", agent, "--episodes", str(episodes)]
    with tempfile.TemporaryDirectory() as folder:  # MuJoCo leaves a log where it runs
        printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout
    return float(re.search(r"return (\S+),", printed).group(1))


def compare(name, agent, episodes, theirs):
    """That many episodes by numpy beside stpn's number of episodes, mean and standard deviation."""
    ours = numpy_policy(agent, episodes)
    their_episodes, mean, deviation = theirs
    spread = deviation * math.sqrt(1 / episodes + 1 / their_episodes)
    allowed = ERRORS * spread + 0.005 * abs(mean) + 0.01
    assert abs(ours - mean) <= allowed, f"{name}: {ours} by numpy, {mean} by stpn, ± {allowed:.2f}"
    print(f"{name}: {ours:.2f} by numpy, {mean:.2f} by stpn, ± {allowed:.2f} allowed")


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    known = table()
    for name, episodes in SHIPPED.items():
        compare(name, ROOT / "checkpoints" / name, episodes, known[name])
    with tempfile.TemporaryDirectory() as directory:
        for name, arguments in TRAINED.items():
            run = pathlib.Path(directory) / name.replace(", ", "-").replace(" ", "-")
            train = [binary, "train", *arguments, "--updates", "15", "--run-dir", run, "--set", "evaluation.every=0"]
            subprocess.run(train, check=True, capture_output=True)
            evaluate = [binary, "eval", run, "--episodes", "100", "--json"]
            result = json.loads(subprocess.run(evaluate, check=True, capture_output=True).stdout)
            compare(name, run, EPISODES, (100, result["mean_return"], result["std_return"]))


main()
