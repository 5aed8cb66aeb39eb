"""Run where the wheel and numpy are installed and nothing else: what needs no other package works, the rest says so."""

import importlib.util
import tempfile

import numpy as np
import stpn

for absent in ("torch", "gymnasium", "onnx"):
    assert importlib.util.find_spec(absent) is None, f"{absent} is installed here"

with tempfile.TemporaryDirectory() as folder:
    run = stpn.train("cartpole", hidden=4, updates=2, run_dir=f"{folder}/run")
    agent = stpn.Agent.load(run.directory)
    action, state = agent.predict(np.zeros(4, np.float32), deterministic=True)
    assert action in (0, 1) and state.shape == (1, agent.state_size)
    assert agent.evaluate(3).mean_return >= 1
    assert agent.outputs(np.zeros((2, 4), np.float32)).policy.shape == (2, 2)
    for attempt, package in [(lambda: agent.policy, "torch"), (lambda: stpn.make_vec("cartpole"), "gymnasium")]:
        try:
            attempt()
        except ImportError as error:
            assert f"pip install {package}" in str(error), error
        else:
            raise AssertionError(f"{package} was not missed")
print("the wheel needs numpy alone")
