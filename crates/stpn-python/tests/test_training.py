"""Training from Python: watched, stopped, interrupted, resumed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import gymnasium
import numpy as np
import stpn
import stpn.torch
from support import AGENTS, CHECKPOINTS, heeding, python


OWN_ENVIRONMENT = """
import gymnasium

gymnasium.register("Own-v0", entry_point="gymnasium.envs.classic_control:CartPoleEnv", max_episode_steps=20)

def make():
    return gymnasium.make("CartPole-v1")

class Flat(gymnasium.Wrapper):
    pass
"""

TRAIN_OWN = """
import json, stpn, sys
experiment, folder, changes = json.loads(sys.argv[1])
run = stpn.train(experiment, run_dir=folder, **changes)
print(run.updates, len(stpn.Agent.load(folder).evaluate(3).returns))
"""

LOAD_OWN = """
import pickle, stpn, sys
for read in (stpn.Agent.load, stpn.resume):
    try:
        read(sys.argv[1])
    except Exception as error:
        print(type(error).__name__, "trust_env_code=True" in str(error))
agent = pickle.loads(pickle.dumps(stpn.Agent.load(sys.argv[1], trust_env_code=True)))
print(len(agent.evaluate(3).returns))
print(stpn.resume(sys.argv[1], updates=2, trust_env_code=True).updates)
"""

TINY = {
    "rollout": {"environments": 2, "steps": 16, "sequence_length": 16},
    "policy": {"hidden": 4},
    "algorithm": {"minibatch_size": 16},
    "evaluation": {"every": 0},
}
"""A training of a moment, in any environment."""


def small(**changes):
    """A training of a second or two."""
    return {"updates": 6, "threads": 2, **changes}


class Training(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_a_preset_with_changes(self):
        seen = []
        run = stpn.train(
            "cartpole",
            run_dir=self.folder / "run",
            callback=seen.append,
            policy={"hidden": 8},
            **{"optimizer.learning_rate": 1e-3},
            **small(),
        )
        self.assertTrue(run.finished)
        self.assertEqual((run.updates, run.env_steps), (6, 6 * 8 * 128))
        self.assertEqual([progress.update for progress in seen], [1, 2, 3, 4, 5, 6])
        self.assertIn("losses/policy_loss", seen[-1].metrics)
        agent = stpn.Agent.load(run.directory)
        self.assertEqual(agent.update, 6)
        self.assertEqual(agent.config["policy"]["hidden"], 8)
        self.assertEqual(agent.config["optimizer"]["learning_rate"], 1e-3)
        self.assertGreater(run.mean_return, 0)
        self.assertEqual(agent.metrics()["update"][-1], 6)

    def test_a_dict_trains_the_same_agent_on_any_number_of_threads(self):
        config = stpn.config("cartpole", hidden=8, cell="gru", **small())
        self.assertEqual(config["policy"]["cell"]["name"], "gru")
        for name, threads in [("one", 1), ("three", 3)]:
            stpn.train(config, run_dir=self.folder / name, threads=threads)
        losses = [
            stpn.Agent.load(self.folder / name).metrics()["losses/policy_loss"] for name in ("one", "three")
        ]
        np.testing.assert_array_equal(*losses)

    def test_a_callback_ends_it_and_resume_goes_on(self):
        go_on = lambda progress: np.bool_(progress.update < 2)  # noqa: E731
        run = stpn.train("cartpole", run_dir=self.folder / "run", callback=go_on, **small())
        self.assertEqual((run.finished, run.updates), (False, 2))
        self.assertEqual(stpn.Agent.load(run.directory).update, 2)
        run = stpn.resume(run.directory, updates=4)
        self.assertEqual((run.finished, run.updates), (True, 4))
        whole = stpn.train("cartpole", run_dir=self.folder / "whole", **small(updates=4))
        observations = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
        # Not the same run: the learning rate falls to the planned end. Its first updates are.
        first, second = (stpn.Agent.load(path).metrics() for path in (run.directory, whole.directory))
        self.assertEqual(first["charts/episodic_return"][0], second["charts/episodic_return"][0])
        _, state = stpn.Agent.load(run.directory).predict(observations)
        self.assertTrue(np.isfinite(state).all())

    def test_an_exception_in_the_callback_leaves_a_checkpoint_and_is_raised_again(self):
        def fail(progress):
            if progress.update == 3:
                raise KeyError("mine")

        with self.assertRaises(KeyError) as raised:
            stpn.train("cartpole", run_dir=self.folder / "run", callback=fail, **small())
        self.assertEqual(raised.exception.args, ("mine",))
        self.assertEqual(stpn.Agent.load(self.folder / "run").update, 3)
        self.assertEqual(stpn.resume(self.folder / "run").updates, 6)

    def test_interrupted_by_ctrl_c_it_leaves_a_checkpoint(self):
        program = (
            "import stpn, sys\n"
            "try:\n"
            "    stpn.train('cartpole', run_dir=sys.argv[1], updates=100000, threads=1)\n"
            "except KeyboardInterrupt:\n"
            "    print('interrupted', stpn.Agent.load(sys.argv[1]).update)\n"
        )
        run = self.folder / "run"
        child = heeding([sys.executable, "-c", program, str(run)])
        deadline = time.monotonic() + 60
        while not (run / "metrics.jsonl").is_file() or not (run / "metrics.jsonl").read_text():
            self.assertLess(time.monotonic(), deadline, "no update in a minute")
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 0)
        word, update = said.split()
        self.assertEqual(word, "interrupted")
        self.assertGreater(int(update), 0)

    def test_a_supervised_task(self):
        config = stpn.config("art", seed=2, updates=1, hidden=8)
        self.assertIn("task", config)
        lengths = {key: 64 for key in config["task"] if key.endswith("sequences")}
        shorter = {**config["task"], **lengths, "batch_size": 16}
        run = stpn.train({**config, "task": shorter}, run_dir=self.folder / "run")
        self.assertEqual((run.finished, run.updates, run.mean_return), (True, 1, None))

    def test_a_run_gets_a_folder_of_its_own(self):
        program = (
            "import json, stpn\n"
            "print(json.dumps([str(stpn.train('cartpole', updates=1, hidden=4).directory) for _ in range(2)]))"
        )
        said = subprocess.run([sys.executable, "-c", program], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(json.loads(said.stdout), ["runs/cartpole-seed1", "runs/cartpole-seed1-2"], said.stderr)

    def test_environments_of_gymnasium_ran_in_the_python3_of_the_path(self):
        other = self.folder / "bin" / "python3"
        other.parent.mkdir()
        other.write_text("#!/bin/sh\necho the wrong Python >&2\nexit 3\n")
        other.chmod(0o755)
        program = (
            "import stpn, sys\n"
            "small = {'rollout.environments': 2, 'rollout.steps': 16, 'rollout.sequence_length': 16}\n"
            "small.update({'env.id': 'CartPole-v1', 'algorithm.minibatch_size': 16, 'evaluation.every': 0})\n"
            "run = stpn.train('gym', run_dir=sys.argv[1], hidden=4, updates=1, threads=1, **small)\n"
            "run = stpn.resume(run.directory, updates=2)\n"
            "print(run.updates, len(stpn.Agent.load(run.directory).evaluate(2).returns))\n"
        )
        environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "STPN_PYTHON")}
        environment["PATH"] = f"{other.parent}{os.pathsep}{environment['PATH']}"

        def run(name, environment):
            command = [sys.executable, "-c", program, str(self.folder / name)]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)

        said = run("own", environment)
        self.assertEqual((said.returncode, said.stdout), (0, "2 2\n"), said.stderr)
        # What is named goes first.
        said = run("named", {**environment, "STPN_PYTHON": str(other)})
        self.assertEqual(said.returncode, 1)
        self.assertIn("the wrong Python", said.stderr)

    def test_none_in_a_dict_gave_the_default_in_place_of_no_limit(self):
        preset = stpn.config("cartpole")
        for experiment in ("cartpole", preset, {**preset, "optimizer": {"max_grad_norm": 1.0}}):
            for changes in ({"optimizer": {"max_grad_norm": None}}, {"optimizer.max_grad_norm": None}):
                self.assertEqual(stpn.config(experiment, **changes)["optimizer"]["max_grad_norm"], "none")
        within = {**preset, "optimizer": {**preset["optimizer"], "max_grad_norm": None}}
        self.assertEqual(stpn.config(within)["optimizer"]["max_grad_norm"], "none")
        with self.assertRaisesRegex(ValueError, "optimizer.max_grad_nrom: there is no such key"):
            stpn.config(preset, optimizer={"max_grad_nrom": None})

    def test_updates_given_twice_were_an_error_for_a_preset_alone(self):
        for experiment in ("cartpole", stpn.config("cartpole")):
            with self.assertRaisesRegex(ValueError, "training.updates: .*give it once"):
                stpn.config(experiment, updates=4, training={"updates": 5})
            self.assertEqual(stpn.config(experiment, updates=4)["training"]["updates"], 4)

    def test_another_environment_in_a_dict_kept_the_keys_of_the_one_before(self):
        config = stpn.config("maze-small", env={"size": 9})
        self.assertEqual(stpn.config(config, env={"name": "cartpole"})["env"]["name"], "cartpole")
        self.assertEqual(stpn.config(config, env={"size": 7})["env"]["size"], 7)

    def test_a_constant_could_not_become_a_schedule(self):
        schedule = {"initial": 1e-3, "last": 1e-5}
        for experiment in ("maze-small", "cartpole", stpn.config("maze-small"), stpn.config("cartpole")):
            changed = stpn.config(experiment, optimizer={"learning_rate": schedule})["optimizer"]["learning_rate"]
            self.assertEqual({key: changed[key] for key in schedule}, schedule)
        # What the schedule before had beside that is gone.
        longer = stpn.config("cartpole", optimizer={"learning_rate": {**schedule, "horizon": 3}})
        self.assertEqual(longer["optimizer"]["learning_rate"]["horizon"], 3)
        again = stpn.config(longer, optimizer={"learning_rate": schedule})["optimizer"]["learning_rate"]
        self.assertNotIn("horizon", again)
        self.assertEqual(stpn.config(longer, optimizer={"learning_rate": 0.5})["optimizer"]["learning_rate"], 0.5)

    def test_numbers_of_numpy_were_no_json(self):
        changes = {
            "seed": np.int64(3),
            "optimizer": {"learning_rate": np.float32(0.5), "max_grad_norm": np.float64(2)},
            "policy": {"encoder": {"name": "mlp", "sizes": np.array([8, 4])}, "hidden": np.int32(5)},
            "normalization": {"observations": np.bool_(True)},
        }
        for experiment in ("cartpole", stpn.config("cartpole")):
            config = stpn.config(experiment, **changes)
            self.assertEqual((config["seed"], config["policy"]["hidden"]), (3, 5))
            self.assertEqual((config["optimizer"]["learning_rate"], config["optimizer"]["max_grad_norm"]), (0.5, 2.0))
            self.assertEqual(config["policy"]["encoder"]["sizes"], [8, 4])
            self.assertIs(config["normalization"]["observations"], True)
        own = {**stpn.config("cartpole"), "seed": np.int64(4)}
        self.assertEqual(stpn.config(own)["seed"], 4)

    def test_values_that_no_configuration_can_have_were_dropped_or_not_named(self):
        gym = {"name": "gymnasium", "id": "FrozenLake-v1", "kwargs": {"map_name": None}}
        own = {"env": gym, "training": {"updates": 1}}
        for call, said in [
            (lambda: stpn.config(own), "env.kwargs.map_name: None; .* leave it out"),
            (lambda: stpn.config("gym", env=gym), "env.kwargs.map_name: None; .* leave it out"),
            (lambda: stpn.config("gym", **{"env.id": "A", "env.kwargs.map_name": None}), "env.kwargs.map_name: None"),
            (lambda: stpn.make_vec("maze", size=None), "env.size: None; .* leave it out"),
            (lambda: stpn.config("cartpole", optimizer={"learning_rate": np.nan}), "learning_rate: nan; .* finite"),
            (lambda: stpn.config("cartpole", policy={"hidden": 2**70}), "policy.hidden: .*allowed"),
            (lambda: stpn.config("cartpole", policy={"hidden": {1, 2}}), "policy.hidden: set; a configuration has"),
        ]:
            with self.assertRaisesRegex((TypeError, ValueError), said):
                call()
        kwargs = stpn.config("gym", env={**gym, "kwargs": {"map_name": "4x4", "options": {}}})["env"]["kwargs"]
        self.assertEqual(kwargs, {"map_name": "4x4", "options": {}})

    def test_code_of_ones_own_was_refused_and_loaded_by_no_keyword(self):
        (self.folder / "own.py").write_text(OWN_ENVIRONMENT)
        env = {"name": "gymnasium", "make": f"{self.folder / 'own.py'}:make"}
        config = stpn.config("cartpole", env=env, **TINY)
        (self.folder / "own.toml").write_text(
            "env = { name = 'gymnasium', make = 'own.py:make' }\nalgorithm = 'ppo'\nevaluation.every = 0\n"
            "policy = { cell = 'rnn', hidden = 4 }\noptimizer.learning_rate = 1e-3\ntraining.updates = 1\n"
            "rollout = { environments = 2, steps = 16, sequence_length = 16 }\n"
        )
        wrapped = {"name": "gymnasium", "id": "CartPole-v1", "wrappers": ["own:Flat"]}
        experiments = {
            "dict": config,
            "changes": ("cartpole", {"env": env, **TINY}),
            "file": str(self.folder / "own.toml"),
            "wrapped": {**config, "env": wrapped},
            "imported": {**config, "env": {"name": "gymnasium", "id": "Own-v0", "import": ["own"]}},
        }
        for name, experiment in experiments.items():
            experiment, changes = experiment if isinstance(experiment, tuple) else (experiment, {})
            # Each in a process of its own: what is allowed once is allowed for as long as the process lives.
            asked = json.dumps([experiment, str(self.folder / name), {"updates": 1, "threads": 1, **changes}])
            trained = python(TRAIN_OWN, asked, cwd=self.folder)
            self.assertEqual((trained.returncode, trained.stdout), (0, "1 3\n"), f"{name}: {trained.stderr}")
            said = python(LOAD_OWN, self.folder / name, cwd=self.folder)
            expected = "Error True\nError True\n3\n2\n"
            self.assertEqual((said.returncode, said.stdout), (0, expected), f"{name}: {said.stderr}")

    def test_a_failed_start_left_a_folder(self):
        missing = {"name": "gymnasium", "make": f"{self.folder / 'missing.py'}:make"}
        for existed in (False, True):
            folder = self.folder / str(existed)
            if existed:
                folder.mkdir()
            with self.assertRaises((stpn.Error, ValueError)):
                stpn.train("cartpole", run_dir=folder, env=missing, **TINY, **small())
            self.assertEqual(folder.exists(), existed)

    def test_negative_numbers_were_an_overflow_without_a_name(self):
        agent = stpn.Agent.load(CHECKPOINTS / AGENTS[1])
        vector = stpn.make_vec("cartpole", 2)
        layer = {"input_size": 3, "hidden_size": 4}
        calls = [
            ("num_envs", lambda number: stpn.make_vec("cartpole", num_envs=number)),
            ("num_envs", lambda number: gymnasium.make_vec("stpn/CartPole-v0", num_envs=number)),
            ("seed", lambda number: vector.reset(seed=number)),
            ("seed", lambda number: gymnasium.make("stpn/CartPole-v0").unwrapped.reset(seed=number)),
            ("seed", lambda number: stpn.Agent.load(CHECKPOINTS / AGENTS[1], seed=number)),
            ("seed", agent.seed),
            ("seed", lambda number: agent.evaluate(1, seed=number)),
            ("episodes", agent.evaluate),
            ("threads", stpn.set_num_threads),
            ("updates", lambda number: stpn.resume(self.folder, updates=number)),
            *((name, lambda number, name=name: stpn.torch.STPN(**{**layer, name: number})) for name in layer),
        ]
        for experiment in ("cartpole", stpn.config("cartpole")):
            for name in ("seed", "updates", "threads", "hidden", "steps"):
                if experiment == "cartpole" or name in ("seed", "updates", "threads"):
                    change = lambda number, of=experiment, name=name: stpn.config(of, **{name: number})  # noqa: E731
                    calls.append((name, change))
        for name, call in calls:
            for number in (-1, -(2**70), 2**64):
                with self.subTest(name, number=number), self.assertRaisesRegex(ValueError, f"{name}: {number}; allowed"):
                    call(number)
            with self.subTest(name), self.assertRaisesRegex((TypeError, ValueError), rf"{name}: 1\.5; .* whole number"):
                call(1.5)

    def test_wrong_words_are_refused_with_the_right_ones(self):
        for arguments, changes, said in [
            (("cartpoll",), {}, "cartpoll"),
            (("cartpole",), {"cell": "lstn"}, "lstm"),
            (("cartpole",), {"optimiser": {"learning_rate": 1}}, "optimi"),
            (({"env": {"name": "cartpole"}, "nonsense": 1},), {}, "nonsense"),
        ]:
            with self.assertRaises(ValueError) as raised:
                stpn.config(*arguments, **changes)
            self.assertIn(said, str(raised.exception))
        with self.assertRaises(TypeError):
            stpn.config({"env": {"name": "cartpole"}}, cell="lstm")
        stpn.train("cartpole", run_dir=self.folder / "run", hidden=4, updates=1)
        with self.assertRaises(stpn.Error):
            stpn.train("cartpole", run_dir=self.folder / "run", hidden=4, updates=1)


if __name__ == "__main__":
    unittest.main()
