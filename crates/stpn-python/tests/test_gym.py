"""Environments keep Gymnasium's rules."""

import multiprocessing
import threading
import unittest
import warnings

import gymnasium
import numpy as np
import stpn
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode


def steps_of(vector, steps, seed):
    """What so many steps of random actions give, from the start."""
    vector.action_space.seed(seed)
    first, _ = vector.reset(seed=seed)
    return first, [vector.step(vector.action_space.sample()) for _ in range(steps)]


def in_child(_):
    """Steps a vector in a process that was forked from one which did so too."""
    _, taken = steps_of(stpn.make_vec("cartpole", 20), 3, 0)
    return float(taken[-1][0].sum())


class Environments(unittest.TestCase):
    def test_all_pass_the_checker(self):
        self.assertGreater(len(stpn.environments()), 7)
        for name in stpn.environments():
            with self.subTest(name), warnings.catch_warnings():
                warnings.simplefilter("error")
                # Bounds that are infinite, equal (an element that never changes) or not ±1 are the tasks' own.
                warnings.filterwarnings("ignore", message=".*(infinity|symmetric|normalized|are equal).*")
                check_env(gymnasium.make(stpn.gym.identifier(name)).unwrapped)

    def test_known_by_name(self):
        for identifier in ("stpn/Maze-v0", "stpn/Memory-v0", "stpn/CartPole-v0", "stpn/MountainCarContinuous-v0"):
            self.assertIn(identifier, gymnasium.registry)
        env = gymnasium.make("stpn/Maze-v0", size=9, render_mode="ansi")
        env.reset(seed=1)
        self.assertTrue(env.render().strip())
        with self.assertRaises(ValueError) as raised:
            gymnasium.make("stpn/Maze-v0", sise=9)
        self.assertIn("size", str(raised.exception))

    def test_spaces_of_every_kind(self):
        kinds = set()
        for name, settings in [("maze", {}), ("pendulum", {})] + [
            ("popgym", {"task": task}) for task in ("count-recall", "battleship", "concentration", "repeat-first")
        ]:
            env = gymnasium.make(stpn.gym.identifier(name), **settings)
            kinds |= {type(env.observation_space).__name__, type(env.action_space).__name__}
            env.action_space.seed(1)
            observation, _ = env.reset(seed=1)
            for _ in range(20):
                self.assertIn(observation, env.observation_space)
                observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
                if terminated or truncated:
                    observation, _ = env.reset()
            vector = gymnasium.make_vec(
                stpn.gym.identifier(name), 3, vectorization_mode="vector_entry_point", **settings
            )
            observations, _ = vector.reset(seed=1)
            self.assertIn(observations, vector.observation_space)
            self.assertIn(vector.step(vector.action_space.sample())[0], vector.observation_space)
        self.assertLessEqual({"Box", "Discrete", "MultiDiscrete"}, kinds)

    def test_impossible_actions_are_refused(self):
        env = gymnasium.make("stpn/CartPole-v0").unwrapped
        env.reset(seed=0)
        for action in (2, -1, 2**32, 0.5, [0, 1]):
            with self.assertRaises(ValueError):
                env.step(action)

    def test_stable_baselines3_was_refused_its_render_mode_and_did_not_go_on_without(self):
        for call in (
            lambda: gymnasium.make("stpn/CartPole-v0", render_mode="human"),
            lambda: stpn.gym.Env("cartpole", render_mode="rgb_array"),
            lambda: stpn.gym.VectorEnv("cartpole", 2, render_mode="rgb_array"),
        ):
            for kind in (TypeError, ValueError):
                with self.assertRaisesRegex(kind, "render_mode: (human|rgb_array)"):
                    call()
        try:
            from stable_baselines3 import PPO
            from stable_baselines3.common.env_util import make_vec_env
        except ImportError:
            return
        self.assertEqual(make_vec_env("stpn/CartPole-v0", 2).reset().shape, (2, 4))
        PPO("MlpPolicy", "stpn/CartPole-v0", n_steps=16, batch_size=16, device="cpu").learn(16)

    def test_an_episode_is_gymnasiums_own(self):
        ours, theirs = gymnasium.make("stpn/CartPole-v0"), gymnasium.make("CartPole-v1")
        observation, _ = ours.reset(seed=3)
        theirs.reset(seed=3)
        theirs.unwrapped.state = observation.astype(np.float64)
        for _ in range(30):
            action = int(observation[2] > 0)
            observation, reward, ended, _, _ = ours.step(action)
            expected, expected_reward, expected_ended, _, _ = theirs.step(action)
            np.testing.assert_allclose(observation, expected, atol=1e-5)
            self.assertEqual((reward, ended), (expected_reward, expected_ended))


class Vectors(unittest.TestCase):
    def test_final_observations_come_with_the_first_of_the_next_episode(self):
        vector = stpn.make_vec("memory", 5)
        self.assertIsInstance(vector, gymnasium.vector.VectorEnv)
        self.assertEqual(vector.metadata["autoreset_mode"], AutoresetMode.SAME_STEP)
        self.assertEqual(vector.reset(seed=1)[0].shape, (5, *vector.single_observation_space.shape))
        endings = 0
        for _ in range(60):
            observations, rewards, terminated, truncated, infos = vector.step(vector.action_space.sample())
            self.assertIn(observations, vector.observation_space)
            self.assertEqual((rewards.dtype, terminated.dtype, truncated.dtype), (np.float64, bool, bool))
            ended = terminated | truncated
            if not ended.any():
                self.assertEqual(infos, {})
                continue
            np.testing.assert_array_equal(infos["_final_obs"], ended)
            for index in range(5):
                if ended[index]:
                    endings += 1
                    self.assertIn(infos["final_obs"][index], vector.single_observation_space)
                else:
                    self.assertIsNone(infos["final_obs"][index])
        self.assertGreater(endings, 5)

    def test_a_vector_is_its_environments_on_any_number_of_threads(self):
        try:
            results = []
            for threads in (1, 3):
                stpn.set_num_threads(threads)
                results.append(steps_of(stpn.make_vec("cartpole", 40), 60, 9))
        finally:
            stpn.set_num_threads(0)
        (first, one), (again, three) = results
        np.testing.assert_array_equal(first, again)
        for left, right in zip(one, three):
            for a, b in zip(left[:4], right[:4]):
                np.testing.assert_array_equal(a, b)

    def test_threads_that_stepped_one_vector_ended_in_a_panic(self):
        vector, failures = stpn.make_vec("cartpole", 2048), []
        vector.reset(seed=1)
        gate = threading.Barrier(3)

        def step():
            gate.wait()
            try:
                for _ in range(20):
                    vector.step(np.zeros(2048, np.int64))
                    vector.reset(seed=1)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=step) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_names_of_gymnasium_were_refused(self):
        ours, theirs = (stpn.make_vec(name, 3, size=9) for name in ("maze", "stpn/Maze-v0"))
        np.testing.assert_array_equal(ours.reset(seed=1)[0], theirs.reset(seed=1)[0])
        for name in stpn.environments():
            if name != "gymnasium":
                known = stpn.gym.identifier(name)
                self.assertIn(known, gymnasium.registry)
                self.assertIsInstance(stpn.gym.Env(known), gymnasium.Env)
        with self.assertRaises(ValueError):
            stpn.make_vec("stpn/Mase-v0", 3)

    def test_seeds(self):
        vector = stpn.make_vec("cartpole", 4)
        first, _ = vector.reset(seed=2)
        other, _ = vector.reset()
        again, _ = vector.reset(seed=2)
        np.testing.assert_array_equal(first, again)
        self.assertFalse((first == other).all())
        with self.assertRaises(ValueError):
            vector.reset(seed=[1, 2, 3, 4])

    def test_observations_are_a_view_if_asked_for(self):
        vector = stpn.make_vec("cartpole", 3, copy=False)
        first, _ = vector.reset(seed=1)
        kept = first.copy()
        second, *_ = vector.step(np.zeros(3, np.int64))
        self.assertTrue(np.shares_memory(first, second))
        self.assertFalse((first == kept).all())
        vector = stpn.make_vec("cartpole", 3)
        first, _ = vector.reset(seed=1)
        vector.step(np.zeros(3, np.int64))
        np.testing.assert_array_equal(first, kept)

    def test_wrappers_of_gymnasium_take_it(self):
        vector = gymnasium.wrappers.vector.RecordEpisodeStatistics(stpn.make_vec("cartpole", 4))
        vector.reset(seed=1)
        returns = []
        for _ in range(80):
            *_, infos = vector.step(vector.action_space.sample())
            if "episode" in infos:
                returns += list(infos["episode"]["r"][infos["_episode"]])
        self.assertGreater(len(returns), 4)
        self.assertTrue(all(8 <= value <= 80 for value in returns), returns)

    def test_before_the_first_reset_and_after_wrong_actions(self):
        vector = stpn.make_vec("cartpole", 3)
        with self.assertRaises(gymnasium.error.ResetNeeded):
            vector.step(np.zeros(3, np.int64))
        vector.reset(seed=1)
        for actions in (np.zeros(2, np.int64), np.zeros(3), np.array([0, 1, -1])):
            with self.assertRaises((ValueError, stpn.Error)):
                vector.step(actions)

    def test_an_action_that_was_refused_had_moved_other_environments(self):
        for name, settings, right, wrong in [
            ("cartpole", {}, [1, 1, 1], [1, 1, 2]),
            ("pendulum", {}, [[0.5]] * 3, [[0.5], [0.5], [np.nan]]),
            ("popgym", {"task": "battleship"}, [[1, 2]] * 3, [[1, 2], [1, 2], [1, 99]]),
        ]:
            ours, theirs = (stpn.make_vec(name, 3, **settings) for _ in range(2))
            for vector in (ours, theirs):
                vector.reset(seed=1)
            with self.assertRaisesRegex(ValueError, "environment 2: .*no environment has moved"):
                ours.step(np.array(wrong))
            for left, right_one in zip(ours.step(np.array(right))[:4], theirs.step(np.array(right))[:4]):
                np.testing.assert_array_equal(left, right_one)

    def test_more_environments_than_there_is_memory_for_ended_the_process(self):
        with self.assertRaisesRegex(ValueError, "num_envs: 16777216; allowed"):
            stpn.make_vec("maze", 2**24)
        with open("/proc/meminfo", encoding="utf-8") as lines:
            free = next(int(line.split()[1]) // 2**20 for line in lines if line.startswith("MemAvailable"))
        if free > 64:
            self.skipTest("a machine that may have room for all of them")
        said = "num_envs: 1048576 environments take about .*iB of memory, and .*iB are free"
        with self.assertRaisesRegex(MemoryError, said):
            stpn.make_vec("maze", 2**20, size=99)

    def test_a_forked_process_waited_for_its_parents_threads(self):
        expected = in_child(0)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.map_async(in_child, range(2)).get(timeout=60)
        self.assertEqual(results, [expected] * 2)


if __name__ == "__main__":
    unittest.main()
