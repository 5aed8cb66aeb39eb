"""The examples of the repository run, with the packages that they are about, and without a network."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import gymnasium
import numpy as np
import stpn
import stpn.sb3
from stable_baselines3.common.vec_env import VecMonitor

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


class Examples(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_example(self, name, *arguments):
        """What the example says; its files go to the test's folder."""
        environment = {**os.environ, "TRACKIO_DIR": str(self.folder / "trackio"), "WANDB_SILENT": "true"}
        command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
        said = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300
        )
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
        return said.stdout

    def test_optuna_asks_and_a_callback_prunes(self):
        said = self.run_example("optuna_pruning.py", 5, 4)
        self.assertEqual(len(re.findall(r"(finished|pruned) after \d updates", said)), 5, said)
        self.assertIn("learning_rate", said.splitlines()[-1])

    def test_wandb_and_trackio_are_told_by_a_callback(self):
        said = self.run_example("track_runs.py", 3)
        self.assertIn("runs/run-seed1: 3 updates", said)
        self.assertEqual(len(list(self.folder.glob("wandb/offline-run-*/*.wandb"))), 1)
        self.assertTrue(list(self.folder.glob("trackio/*.db")), said)

    def test_examples_of_thirty_lines_were_longer(self):
        for name in ("optuna_pruning.py", "track_runs.py"):
            lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
            self.assertLessEqual(len(lines), 30, name)
            self.assertLessEqual(max(map(len, lines)), 120, name)

    def test_retrieval_is_learned_with_torchs_adam(self):
        options = {"--epochs": 2, "--training": 4000, "--batch": 16, "--hidden": 20}
        said = self.run_example("retrieval_torch.py", *(word for option in options.items() for word in option))
        losses = [float(loss) for loss in re.findall(r"loss (\S+)", said)]
        # A guess among the ten digits costs ln 10 = 2.30, one among all symbols ln 37 = 3.61.
        self.assertLess(losses[-1], 2.3, said)

    def test_ppo_in_one_file_learns_on_make_vec(self):
        said = self.run_example("ppo_gymnasium.py", "--env", "stpn/CartPole-v0", "--steps", 20480, "--epochs", 8)
        # A random policy's episodes last for 22 steps.
        self.assertGreater(float(said.split()[-1]), 25.0, said)

    def test_ppo_of_stable_baselines3_learns_on_make_vec(self):
        said = self.run_example("sb3_ppo.py", 16384)
        self.assertGreater(float(said.split()[-1]), 40.0, said)


class VecEnv(unittest.TestCase):
    def test_a_vector_of_views_trained_on_observations_of_the_next_step(self):
        wrapped = gymnasium.wrappers.vector.RecordEpisodeStatistics(stpn.make_vec("cartpole", 2, copy=False))
        for vector in (stpn.make_vec("cartpole", 2, copy=False), wrapped):
            with self.assertRaisesRegex(ValueError, "copy=True"):
                stpn.sb3.VecEnv(vector)

    def test_it_is_the_vector_itself(self):
        ours, theirs = stpn.make_vec("cartpole", 5), stpn.sb3.VecEnv(stpn.make_vec("cartpole", 5))
        theirs.seed(3)
        np.testing.assert_array_equal(ours.reset(seed=3)[0], theirs.reset())
        rng, ends = np.random.default_rng(1), 0
        for _ in range(100):
            actions = rng.integers(2, size=5)
            observations, rewards, terminated, truncated, infos = ours.step(actions)
            seen, given, dones, told = theirs.step(actions)
            np.testing.assert_array_equal(observations, seen)
            np.testing.assert_array_equal(rewards, given)
            np.testing.assert_array_equal(terminated | truncated, dones)
            for index in np.flatnonzero(dones):
                ends += 1
                np.testing.assert_array_equal(told[index]["terminal_observation"], infos["final_obs"][index])
                self.assertFalse(told[index]["TimeLimit.truncated"])
        self.assertGreater(ends, 5)

    def test_an_episode_that_is_cut_off_says_so(self):
        envs = VecMonitor(stpn.sb3.VecEnv(stpn.make_vec("cartpole", 2, max_episode_steps=6)))
        envs.reset()
        for _ in range(6):
            _, _, dones, infos = envs.step(np.zeros(2, int))
        self.assertTrue(dones.all())
        self.assertTrue(infos[0]["TimeLimit.truncated"])
        self.assertEqual(infos[1]["episode"]["l"], 6)

    def test_what_python_has_no_part_in_is_refused(self):
        envs = stpn.sb3.VecEnv(stpn.make_vec("cartpole", 2))
        self.assertEqual(envs.get_attr("num_envs"), [2, 2])
        self.assertEqual(envs.env_is_wrapped(object), [False, False])
        for refused in (lambda: envs.set_attr("gravity", 1), lambda: envs.env_method("jump")):
            with self.assertRaises(AttributeError):
                refused()


if __name__ == "__main__":
    unittest.main()
