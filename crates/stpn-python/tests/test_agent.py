"""Agents act as they do in Rust."""

import copy
import json
import os
import pickle
import re
import shutil
import signal
import sys
import tempfile
import time
import unittest
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import gymnasium
import numpy as np
import stpn
from sb3_contrib import RecurrentPPO
from support import AGENTS, CHECKPOINTS, OTHERS, heeding, trained
from support import stpn as command


def environment(agent):
    """The environment that the agent was trained in."""
    settings = dict(agent.config["env"])
    name = settings.pop("name")
    return gymnasium.make(stpn.gym.identifier(name), **settings)


def written(action):
    """An action as the command play writes it."""
    numbers = [f"{number:.3f}" if action.dtype.kind == "f" else str(number) for number in np.ravel(action)]
    return numbers[0] if action.shape == () else f"[{', '.join(numbers)}]"


def sampled(agent):
    """Actions that an agent takes next, in a process of its own too."""
    return agent.predict(np.zeros((64, *agent._observations.shape), np.float32))[0]


def missing(_):
    """Fails as an agent that is not there does."""
    stpn.Agent.load("there/is/none")


class Agent(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_predict_takes_the_actions_of_the_command_play_for_ten_episodes(self):
        there = [name for name, of in OTHERS.items() if of in stpn.environments()]
        # Set where a wheel was built with all environments, to make sure of it.
        if "STPN_ALL_ENVIRONMENTS" in os.environ:
            self.assertEqual({path.name for path in CHECKPOINTS.iterdir() if path.is_dir()}, {*AGENTS, *there})
        paths = [CHECKPOINTS / name for name in (*AGENTS, *there)]
        # Numbers, and several choices at once: no shipped agent makes them in an environment that every wheel has.
        for name, env in [("numbers", {"name": "pendulum"}), ("choices", {"name": "popgym", "task": "battleship"})]:
            trained(self.folder / name, "cartpole", {"env": env, "normalization": {"observations": name == "numbers"}})
            paths.append(self.folder / name)
        for path in paths:
            for seed in range(10):
                agent = stpn.Agent.load(path, seed=seed)
                env = environment(agent)
                (observation, _), state, start = env.reset(seed=seed), None, True
                actions, total, ended = [], 0.0, False
                while not ended:
                    action, state = agent.predict(observation, state, np.array([start]))
                    observation, reward, terminated, truncated, _ = env.step(action)
                    actions.append(written(action))
                    total, start, ended = total + reward, False, terminated or truncated
                played = command("play", path, "--episode-seed", seed)
                self.assertEqual(played.returncode, 0, played.stderr)
                taken = re.findall(r"^step +\d+  action (.+?)  reward", played.stdout, re.M)
                self.assertEqual(taken, actions, f"{path.name}, {seed}")
                last = played.stdout.splitlines()[-1]
                self.assertEqual(last, f"return {total:.2f} in {len(actions)} steps", path.name)

    def test_one_discrete_action_was_a_number_and_not_the_array_of_sb3_contrib(self):
        kinds = set()
        envs = [{"name": "cartpole"}, {"name": "pendulum"}, {"name": "popgym", "task": "battleship"}]
        for number, env in enumerate(envs):
            changes = {"env": env, "normalization": {"observations": False}}
            agent = trained(self.folder / str(number), "cartpole", changes)
            theirs = RecurrentPPO("MlpLstmPolicy", environment(agent), n_steps=8, device="cpu")
            env = environment(agent)
            env.reset(seed=1)
            one = agent.observation_space.sample()
            for observation in (one, np.stack([one] * 3)):
                for deterministic in (True, False):
                    action, _ = agent.predict(observation, deterministic=deterministic)
                    expected, _ = theirs.predict(observation, deterministic=deterministic)
                    self.assertIs(type(action), type(expected))
                    self.assertEqual((action.shape, action.dtype), (expected.shape, expected.dtype))
                    kinds.add((action.shape, action.dtype.kind))
            action, _ = agent.predict(one)
            env.step(action)
            self.assertTrue(action.dtype.kind == "f" or action.shape != () or int(action) in (0, 1))
        self.assertEqual(kinds, {((), "i"), ((3,), "i"), ((1,), "f"), ((3, 1), "f"), ((2,), "i"), ((3, 2), "i")})

    def test_an_agent_could_not_be_pickled_or_copied(self):
        shutil.copytree(CHECKPOINTS / AGENTS[1], self.folder / "agent")
        agent = stpn.Agent.load(self.folder / "agent", seed=3)
        sampled(agent)
        kept, twin = pickle.dumps(agent), copy.deepcopy(agent)
        shutil.rmtree(self.folder / "agent")
        expected = sampled(agent)
        for other in (twin, pickle.loads(kept)):
            self.assertEqual((other.config, other.update), (agent.config, agent.update))
            np.testing.assert_array_equal(sampled(other), expected)
            again = copy.deepcopy(other)
            np.testing.assert_array_equal(sampled(again), sampled(other))
            ours, theirs = (one.outputs(np.ones((2, 2), np.float32)) for one in (agent, other))
            for left, right in zip(ours, theirs):
                np.testing.assert_array_equal(left, right)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            np.testing.assert_array_equal(pool.submit(sampled, pickle.loads(kept)).result(timeout=120), expected)

    def test_a_copy_keeps_what_its_policy_learned(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[1])
        agent.policy.value.bias.data += 1.0
        twin = pickle.loads(pickle.dumps(agent))
        self.assertTrue((twin.policy.value.bias == agent.policy.value.bias).all())

    def test_saved_it_is_the_agent_that_it_was(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[1], seed=3)
        agent.save(self.folder / "saved")
        np.testing.assert_array_equal(sampled(stpn.Agent.load(self.folder / "saved", seed=3)), sampled(agent))
        with self.assertRaises(stpn.Error):
            agent.save(self.folder / "saved")

    def test_an_error_had_another_name_than_python_imports_it_by_and_could_not_be_pickled(self):
        names = [getattr(stpn.Error, f"__{name}__") for name in ("module", "name", "qualname")]
        self.assertEqual(names, ["stpn", "Error", "Error"])
        with self.assertRaises(stpn.Error) as raised:
            missing(None)
        again = pickle.loads(pickle.dumps(raised.exception))
        self.assertIs(type(again), stpn.Error)
        self.assertEqual(again.args, raised.exception.args)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool, self.assertRaises(stpn.Error):
            pool.submit(missing, None).result(timeout=120)

    def test_a_batch_is_as_its_elements(self):
        for name in AGENTS:
            agent = stpn.Agent.load(CHECKPOINTS / name)
            shape = environment(agent).observation_space.shape
            observations = np.random.default_rng(3).uniform(-0.1, 0.1, (4, 5, *shape)).astype(np.float32)
            state, single = None, [None] * 5
            for step in range(4):
                starts = np.array([step == 2, False, False, True, False])
                actions, state = agent.predict(observations[step], state, starts, deterministic=True)
                self.assertEqual(actions.shape, (5,))
                for element in range(5):
                    start = starts[element : element + 1]
                    action, single[element] = agent.predict(
                        observations[step, element], single[element], start, deterministic=True
                    )
                    self.assertEqual(action.shape, ())
                    self.assertEqual(action, actions[element])
                    np.testing.assert_array_equal(single[element][0], state[element])

    def test_a_start_forgets(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[0])
        observation = np.ones(agent.observation_space.shape, np.float32)
        _, fresh = agent.predict(observation, deterministic=True)
        _, later = agent.predict(observation, fresh, deterministic=True)
        _, again = agent.predict(observation, later, np.array([True]), deterministic=True)
        self.assertGreater(np.abs(later - fresh).max(), 0)
        np.testing.assert_array_equal(again, fresh)

    def test_samples_follow_the_seed(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[0], seed=5)
        observations = np.zeros((64, *agent.observation_space.shape), np.float32)
        first, _ = agent.predict(observations)
        second, _ = agent.predict(observations)
        agent.seed(5)
        again, _ = agent.predict(observations)
        np.testing.assert_array_equal(first, again)
        self.assertFalse((first == second).all())

    def test_evaluate_is_the_command_eval(self):
        path = CHECKPOINTS / AGENTS[1]
        agent = stpn.Agent.load(path)
        evaluation = agent.evaluate(8, seed=4)
        said = json.loads(command("eval", path, "--episodes", 8, "--seed", 4, "--json").stdout)
        self.assertEqual(evaluation.mean_return, said["mean_return"])
        self.assertEqual(len(evaluation.returns), 8)
        self.assertTrue((evaluation.lengths > 0).all())
        self.assertGreater(evaluation.energy_per_unit_step, 0)

    def test_ctrl_c_was_heard_only_after_the_evaluation(self):
        program = (
            "import stpn, sys\n"
            "agent = stpn.Agent.load(sys.argv[1])\n"
            "print('ready', flush=True)\n"
            "try:\n"
            "    agent.evaluate(1000000)\n"
            "except KeyboardInterrupt:\n"
            "    print('interrupted')\n"
        )
        command = [sys.executable, "-c", program, str(CHECKPOINTS / AGENTS[1])]
        child = heeding(command)
        self.assertEqual(child.stdout.readline(), "ready\n")
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.communicate(timeout=30)[0], "interrupted\n")
        self.assertEqual(child.returncode, 0)

    def test_results_do_not_depend_on_threads(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[1])
        try:
            returns = []
            for threads in (1, 3):
                stpn.set_num_threads(threads)
                self.assertEqual(stpn.get_num_threads(), threads)
                returns.append(agent.evaluate(20).returns)
            np.testing.assert_array_equal(*returns)
        finally:
            stpn.set_num_threads(0)

    def test_configuration_and_metrics(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[0])
        self.assertEqual(agent.config["env"]["name"], "maze")
        self.assertEqual(agent.config["policy"]["cell"]["name"], "stpn")
        metrics = agent.metrics()
        self.assertEqual(metrics["update"][-1], agent.update)
        self.assertEqual(metrics["update"].shape, metrics["charts/episodic_return"].shape)
        self.assertTrue(np.isfinite(metrics["charts/episodic_return"]).any())

    def test_nan_in_an_observation_gave_an_action_all_the_same(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[1])
        for wrong in (np.nan, np.inf, -np.inf, 1e300):
            for observation in ([wrong] * 2, [[0.0, 0.0], [0.0, wrong]]):
                for call in (agent.predict, agent.outputs):
                    with self.assertRaisesRegex(ValueError, "observation: it has (nan|-?inf) in it"):
                        call(observation)

    def test_a_damaged_log_was_an_error_of_json_without_its_place(self):
        shutil.copytree(CHECKPOINTS / AGENTS[1], self.folder / "agent")
        log = self.folder / "agent" / "metrics.jsonl"
        good = log.read_bytes().splitlines(keepends=True)
        agent = stpn.Agent.load(self.folder / "agent")
        for wrong in (b"{oops\n", b'{"update": "x"}\n', b"[1]\n", b'{"\xff": 1}\n'):
            log.write_bytes(b"".join([*good[:2], wrong, *good[2:]]))
            with self.assertRaisesRegex(ValueError, r"metrics\.jsonl, line 3: the line is damaged"):
                agent.metrics()

    def test_a_saved_agent_was_said_to_have_the_log_of_an_exported_one(self):
        stpn.Agent.load(CHECKPOINTS / AGENTS[1]).save(self.folder / "saved")
        with self.assertRaises(FileNotFoundError):
            stpn.Agent.load(self.folder / "saved").metrics()
        said = command("export", CHECKPOINTS / AGENTS[1], self.folder / "exported")
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertTrue((self.folder / "exported" / "metrics.jsonl").is_file(), "docs/python.md says so")

    def test_what_does_not_fit_is_refused(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[0])
        good = np.zeros(agent.observation_space.shape, np.float32)
        for arguments, said in [
            ((good[1:],), "observation: [16]"),
            ((good, np.zeros((2, agent.state_size))), "state: [2,"),
            ((good, None, np.zeros(3)), "episode_start: 3"),
        ]:
            with self.assertRaises(ValueError) as raised:
                agent.predict(*arguments)
            self.assertIn(said, str(raised.exception))
        with self.assertRaises(stpn.Error):
            stpn.Agent.load("there/is/none")


if __name__ == "__main__":
    unittest.main()
