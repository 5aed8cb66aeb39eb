"""The network of an agent as a module of PyTorch, and as an ONNX model, says what the agent says."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnxruntime
import stpn
import torch
from support import AGENTS, CHECKPOINTS, trained

CELLS = (
    "stpn",
    "stpnf",
    "hebbff",
    "fast-weights",
    "backpropamine",
    "lstm",
    "gru",
    "rnn",
    "linear-recurrent",
    "linear-attention",
    "delta-rule",
    "frame-stack",
    "mlp",
)

NETWORKS = {
    "choices, an encoder, a critic of its own, normalised": (
        "cartpole",
        {"policy": {"critic": "separate", "encoder": {"name": "mlp", "sizes": [6, 5]}}},
    ),
    "numbers": ("cartpole", {"env": {"name": "pendulum"}}),
    "a factor on the input": ("cartpole", {"policy": {"input_scale": 3.0}}),
    "a factor on an encoder's output": (
        "cartpole",
        {"policy": {"input_scale": 3.0, "critic": "separate", "encoder": {"name": "mlp", "sizes": [5]}}},
    ),
    "numbers, squashed, one deviation": (
        "cartpole",
        {"env": {"name": "pendulum"}, "policy": {"gaussian": {"squash": True, "std": "state-independent"}}},
    ),
    "several choices seen and made": (
        "cartpole",
        {"env": {"name": "popgym", "task": "battleship"}, "normalization": {"observations": False}},
    ),
}


def observed(agent, steps, batch):
    """What an agent sees in its environment, acting at random, and where episodes start: `[T, B, …]` and `[T, B]`."""
    settings = dict(agent.config["env"])
    vector = stpn.make_vec(settings.pop("name"), batch, **settings)
    vector.action_space.seed(5)
    observation, _ = vector.reset(seed=4)
    seen, starts = [observation], [np.ones(batch, bool)]
    for _ in range(steps - 1):
        observation, _, terminated, truncated, _ = vector.step(vector.action_space.sample())
        seen.append(observation)
        starts.append(terminated | truncated)
    return np.stack(seen), np.stack(starts)


class Policy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def agents(self):
        """Those of the repository, then new ones of every kind of network and of every cell."""
        for name in AGENTS:
            yield name, stpn.Agent.load(CHECKPOINTS / name)
        for number, (name, (preset, changes)) in enumerate(NETWORKS.items()):
            yield name, trained(self.folder / str(number), preset, changes)
        for cell in CELLS:
            yield cell, trained(self.folder / cell, "cartpole", {}, cell=cell)

    def test_it_says_what_the_agent_says(self):
        for name, agent in self.agents():
            with self.subTest(name):
                observations, starts = observed(agent, 30, 3)
                policy, state, memory = agent.policy, None, None
                for observation, start in zip(observations, starts):
                    expected = agent.outputs(observation, state, start)
                    action, _ = agent.predict(observation, state, start, deterministic=True)
                    with torch.no_grad():
                        said = policy(torch.as_tensor(observation), memory, torch.as_tensor(start))
                    state, memory = expected.state, said.state
                    for ours, rusts in zip(said, expected):
                        np.testing.assert_allclose(ours.numpy(), rusts, rtol=1e-4, atol=1e-5)
                    np.testing.assert_allclose(policy.mode(said.policy).numpy(), action, rtol=1e-4, atol=1e-5)

    def test_a_sequence_is_its_steps(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[1])
        observations, starts = (torch.as_tensor(values) for values in observed(agent, 60, 4))
        self.assertTrue(starts[1:].any())
        with torch.no_grad():
            whole = agent.policy(observations, None, starts)
            state, values = None, []
            for observation, start in zip(observations, starts):
                _, value, state = agent.policy(observation, state, start)
                values.append(value)
        torch.testing.assert_close(torch.stack(values), whole.value, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(state, whole.state, rtol=1e-4, atol=1e-5)
        self.assertEqual(tuple(whole.policy.shape), (60, 4, 2))

    def test_it_trains(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[1])
        observations, starts = (torch.as_tensor(values) for values in observed(agent, 10, 4))
        policy = agent.policy
        before = {name: values.clone() for name, values in policy.state_dict().items()}
        said = policy(observations, None, starts)
        distribution = policy.distribution(said.policy)
        loss = -distribution.log_prob(distribution.sample()).mean() + said.value.square().mean()
        optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
        loss.backward()
        optimizer.step()
        for name, values in policy.state_dict().items():
            self.assertFalse(torch.equal(values, before[name]), name)

    def test_distributions_are_of_every_kind(self):
        kinds = set()
        for number, (name, (preset, changes)) in enumerate(NETWORKS.items()):
            agent = trained(self.folder / str(number), preset, changes)
            observations, _ = observed(agent, 1, 5)
            said = agent.policy(torch.as_tensor(observations[0]))
            of = agent.policy.distribution(said.policy)
            kinds.add(type(of).__name__)
            for one in of if isinstance(of, list) else [of]:
                self.assertTrue(one.log_prob(one.sample()).isfinite().all(), name)
        self.assertEqual(kinds, {"Categorical", "Independent", "list"})

    def test_an_onnx_model_acts_as_the_agent_through_an_episode(self):
        for name, agent in self.agents():
            with self.subTest(name):
                path = self.folder / "model.onnx"
                agent.to_onnx(path)
                session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
                settings = dict(agent.config["env"])
                env = stpn.gym.Env(settings.pop("name"), **settings)
                (observation, _), state, start, ended = env.reset(seed=2), None, True, False
                memory = np.zeros((1, agent.state_size), np.float32)
                while not ended:
                    expected = agent.outputs(observation, state, [start])
                    action, state = agent.predict(observation, state, [start], deterministic=True)
                    shown = agent._observations.shown(observation).reshape(1, *agent._observations.shape)
                    given = {"observation": shown, "state": memory, "episode_start": np.array([start])}
                    # A network without a memory has no use for the last two.
                    taken = {known.name for known in session.get_inputs()}
                    said = session.run(None, {key: value for key, value in given.items() if key in taken})
                    # Step by step: two memories of their own would add up what rounding does to them.
                    memory = expected.state
                    np.testing.assert_allclose(said[0][0], action, rtol=1e-4, atol=1e-4)
                    for theirs, ours in zip(said[1:], expected):
                        np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-4)
                    observation, _, terminated, truncated, _ = env.step(action)
                    start, ended = False, terminated or truncated

    def test_what_does_not_fit_is_refused(self):
        policy = stpn.Agent.load(CHECKPOINTS / AGENTS[1]).policy
        good = torch.zeros(2, *policy.observations.shape)
        for arguments, said in [
            ((good[0],), "observation: [2]"),
            ((torch.zeros(2, 9),), "observation: [2, 9]"),
            ((good, torch.zeros(3, policy.state_size)), "state: [3,"),
            ((good, None, torch.zeros(5, dtype=torch.bool)), "resets: [1, 5]"),
        ]:
            with self.assertRaises(ValueError) as raised:
                policy(*arguments)
            self.assertIn(said, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
