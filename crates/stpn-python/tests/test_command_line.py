"""The command line in Python is the program itself."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from support import heeding
from support import stpn as command


class CommandLine(unittest.TestCase):
    def test_the_script_is_on_the_path(self):
        script = shutil.which("stpn", path=str(Path(sys.executable).parent))
        self.assertIsNotNone(script)
        said = subprocess.run([script, "--version"], capture_output=True, text=True)
        self.assertEqual((said.returncode, said.stdout.split()[0]), (0, "stpn"), said.stderr)

    def test_help_and_errors(self):
        said = command("train", "--help")
        self.assertEqual(said.returncode, 0)
        self.assertIn("Usage: stpn train", said.stdout)
        said = command("train", "no-such-preset")
        self.assertEqual(said.returncode, 2)
        self.assertIn("no-such-preset", said.stderr)
        self.assertNotIn("Traceback", said.stderr)
        self.assertEqual(command("trian").returncode, 2)

    def test_a_reader_that_goes_away_is_no_error_of_python(self):
        shown = subprocess.run(
            f"{sys.executable} -m stpn list | head -1", shell=True, capture_output=True, text=True, timeout=60
        )
        self.assertEqual(shown.stderr, "")
        self.assertIn("Presets", shown.stdout)

    def test_ctrl_c_ends_a_training_with_a_checkpoint(self):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder, "run")
            arguments = ["train", "cartpole", "--updates", "100000", "--threads", "1", "--run-dir", str(run)]
            command = [sys.executable, "-m", "stpn", *arguments]
            child = heeding(command)
            deadline = time.monotonic() + 60
            while not (run / "metrics.jsonl").is_file() or not (run / "metrics.jsonl").read_text():
                self.assertLess(time.monotonic(), deadline, "no update in a minute")
                time.sleep(0.05)
            child.send_signal(signal.SIGINT)
            _, said = child.communicate(timeout=60)
            self.assertEqual(child.returncode, 130, said)
            self.assertNotIn("Traceback", said)
            self.assertTrue(os.listdir(run / "checkpoints"))

    def test_commands_that_start_others_start_this_one(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out")
            options = {"cells": "rnn", "seeds": 1, "updates": 1, "episodes": 2, "out": out}
            said = command("compare", "cartpole", *(f"--{name}={value}" for name, value in options.items()))
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertTrue(list(out.rglob("metrics.jsonl")), said.stderr)


if __name__ == "__main__":
    unittest.main()
