"""Agents act as they do in Rust."""

import json
import re
import signal
import sys
import time
import unittest

import gymnasium
import numpy as np
import stpn
from support import AGENTS, CHECKPOINTS, heeding
from support import stpn as command


def environment(agent):
    """The environment that the agent was trained in."""
    settings = dict(agent.config["env"])
    name = settings.pop("name")
    return gymnasium.make(stpn.gym.identifier(name), **settings)


class Agent(unittest.TestCase):
    def test_predict_takes_the_actions_of_the_command_play_for_ten_episodes(self):
        for name in AGENTS:
            for seed in range(10):
                agent = stpn.Agent.load(CHECKPOINTS / name, seed=seed)
                env = environment(agent)
                (observation, _), state, start = env.reset(seed=seed), None, True
                actions, total, ended = [], 0.0, False
                while not ended:
                    action, state = agent.predict(observation, state, np.array([start]))
                    observation, reward, terminated, truncated, _ = env.step(action)
                    actions.append(str(action))
                    total, start, ended = total + reward, False, terminated or truncated
                played = command("play", CHECKPOINTS / name, "--episode-seed", seed)
                self.assertEqual(played.returncode, 0, played.stderr)
                self.assertEqual(re.findall(r"^step +\d+  action (\S+)", played.stdout, re.M), actions, name)
                self.assertEqual(played.stdout.splitlines()[-1], f"return {total:.2f} in {len(actions)} steps", name)

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
