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
from support import AGENTS, CHECKPOINTS, heeding


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
