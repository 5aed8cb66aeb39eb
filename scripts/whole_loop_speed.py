#!/usr/bin/env python3
"""Environment steps per second of whole training loops, beside Stable-Baselines3's at the same settings.

    cargo build --release && python3 scripts/whole_loop_speed.py                    # ours alone
    pip install sb3-contrib && python3 scripts/whole_loop_speed.py --sb3            # and theirs, in the same run

CartPole: 8 environments, 128 steps, minibatches of 128, 10 epochs. InvertedPendulum (`--mujoco`, with a program built
with `--features mujoco`; theirs needs `gymnasium[mujoco]`): 1 environment, 2,048 steps, minibatches of 64, 10 epochs.
64 units, 2 threads. Prints a table in Markdown with the machine and commit. Ours is the median of updates after the
first five, theirs the mean of a run after a warm-up.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
THREADS = 2
TASKS = {
    "cartpole": {"gymnasium": "CartPole-v1", "environments": 8, "steps": 128, "minibatch": 128, "length": 16},
    "inverted-pendulum": {
        "gymnasium": "InvertedPendulum-v5", "environments": 1, "steps": 2048, "minibatch": 64, "length": 16,
    },
}


def ours(task, cell, updates):
    settings = TASKS[task]
    keys = {
        "rollout.environments": settings["environments"],
        "rollout.steps": settings["steps"],
        "rollout.sequence_length": settings["length"],
        "algorithm.minibatch_size": settings["minibatch"],
        "algorithm.epochs": 10,
        "evaluation.every": 0,
    }
    with tempfile.TemporaryDirectory() as directory:
        run = pathlib.Path(directory) / "run"
        command = [ROOT / "target/release/stpn", "train", task, "--cell", cell, "--hidden", 64, "--threads", THREADS]
        command += ["--updates", updates, "--run-dir", run]
        for key, value in keys.items():
            command += ["--set", f"{key}={value}"]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
        lines = (run / "metrics.jsonl").read_text().splitlines()[5:]
        return statistics.median(json.loads(line)["charts/env_steps_per_second"] for line in lines)


def theirs(task, recurrent, updates):
    import gymnasium
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    torch.set_num_threads(THREADS)
    settings = TASKS[task]
    environments = DummyVecEnv([lambda: gymnasium.make(settings["gymnasium"])] * settings["environments"])
    common = {"n_steps": settings["steps"], "batch_size": settings["minibatch"], "n_epochs": 10, "device": "cpu"}
    if recurrent:
        from sb3_contrib import RecurrentPPO

        options = {"lstm_hidden_size": 64}
        model = RecurrentPPO("MlpLstmPolicy", environments, policy_kwargs=options, **common)
    else:
        model = PPO("MlpPolicy", environments, **common)
    per_update = settings["environments"] * settings["steps"]
    model.learn(per_update)
    start = time.perf_counter()
    model.learn(updates * per_update)
    return updates * per_update / (time.perf_counter() - start)


def processor():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sb3", action="store_true", help="measure Stable-Baselines3 too")
    parser.add_argument("--mujoco", action="store_true", help="measure InvertedPendulum too")
    parser.add_argument("--updates", type=int, default=40, help="updates of each of our runs")
    arguments = parser.parse_args()
    tasks = ["cartpole"] + (["inverted-pendulum"] if arguments.mujoco else [])
    print("| task | network | steps/s | against the recurrent PPO | against the memoryless PPO |")
    print("| --- | --- | --- | --- | --- |")
    for task in tasks:
        recurrent = memoryless = None
        if arguments.sb3:
            recurrent, memoryless = theirs(task, True, 2), theirs(task, False, 4)
            print(f"| {task} | sb3-contrib RecurrentPPO, LSTM 64 | {recurrent:,.0f} | | |")
            print(f"| {task} | Stable-Baselines3 PPO, 2 × 64 | {memoryless:,.0f} | | |")
        for cell in ["stpn", "stpnf", "lstm", "mlp"]:
            speed = ours(task, cell, arguments.updates)
            ratios = [f"{speed / other:.1f}×" if other else "" for other in (recurrent, memoryless)]
            print(f"| {task} | stpn --cell {cell}, 64 | {speed:,.0f} | {' | '.join(ratios)} |", flush=True)
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True)
    print(f"\n{processor()}, {os.cpu_count()} cores, {THREADS} threads; commit {commit.stdout.strip()}; seed 1.")


if __name__ == "__main__":
    main()
