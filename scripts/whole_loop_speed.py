#!/usr/bin/env python3
"""Environment steps per second of whole training loops, beside Stable-Baselines3's at the same settings.

    cargo build --release && python3 scripts/whole_loop_speed.py                    # ours alone
    pip install sb3-contrib && python3 scripts/whole_loop_speed.py --sb3            # and theirs, in the same run

CartPole: 8 environments, 128 steps, minibatches of 128, 10 epochs, 64 units. So LunarLander (`--lander`, needs
`gymnasium[box2d]`), in ours through worker processes of the Python that runs this; `--lander-alone` without CartPole.
InvertedPendulum (`--mujoco`, with a program built with `--features mujoco`; theirs needs `gymnasium[mujoco]`): 1
environment, 2,048 steps, minibatches of 64, 10 epochs, 64 units. Pong (`--atari`, with `--features atari`; theirs needs
`ale-py opencv-python-headless`):
8 environments behind the standard wrappers, no stack, 128 steps, minibatches of 128, 10 epochs, the network of Mnih et
al. 2015 and 256 units; beside their A2C ours at its default of 5 steps.

2 threads. Prints a table in Markdown with the machine and commit, `--out FILE` also writes it. Ours is the median of
updates after the first few, theirs the mean of a run after a warm-up.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from provenance import commit, processor

ROOT = pathlib.Path(__file__).resolve().parent.parent
THREADS = 2
SKIPPED = 3
PPO = {"algorithm.epochs": 10, "evaluation.every": 0}
TASKS = {
    "cartpole": {"gymnasium": "CartPole-v1", "environments": 8, "steps": 128, "minibatch": 128, "units": 64},
    "lunar-lander": {"gymnasium": "LunarLander-v3", "environments": 8, "steps": 128, "minibatch": 128, "units": 64},
    "inverted-pendulum": {
        "gymnasium": "InvertedPendulum-v5", "environments": 1, "steps": 2048, "minibatch": 64, "units": 64,
    },
    "pong-deepmind": {
        "gymnasium": "PongNoFrameskip-v4", "environments": 8, "steps": 128, "minibatch": 128, "units": 256,
        "keys": {"policy.encoder": '{ name = "nature-cnn" }', "env.frame_stack": 1},
    },
}


def ours(program, task, cell, updates, algorithm="ppo"):
    settings = TASKS[task]
    steps = settings["steps"] if algorithm == "ppo" else 5
    keys = {"rollout.environments": settings["environments"], "rollout.steps": steps, **settings.get("keys", {})}
    keys["rollout.sequence_length"] = min(steps, 16)
    if algorithm == "ppo":
        keys |= {"algorithm.minibatch_size": settings["minibatch"], **PPO}
    with tempfile.TemporaryDirectory() as directory:
        run = pathlib.Path(directory) / "run"
        command = [program, "train", task, "--algo", algorithm, "--cell", cell, "--python", sys.executable]
        command += ["--hidden", settings["units"], "--threads", THREADS, "--updates", updates, "--run-dir", run]
        for key, value in {**keys, "log.every": 1}.items():
            command += ["--set", f"{key}={value}"]
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
        lines = (run / "metrics.jsonl").read_text().splitlines()[SKIPPED:]
        return statistics.median(json.loads(line)["charts/SPS"] for line in lines)


def theirs(task, kind, updates):
    import gymnasium
    import torch
    from stable_baselines3 import A2C, PPO
    from stable_baselines3.common.vec_env import DummyVecEnv, VecTransposeImage

    torch.set_num_threads(THREADS)
    settings = TASKS[task]
    pictures = task.startswith("pong")

    def environment():
        if pictures:
            import ale_py
            from stable_baselines3.common.atari_wrappers import AtariWrapper

            gymnasium.register_envs(ale_py)
            return AtariWrapper(gymnasium.make(settings["gymnasium"]))
        return gymnasium.make(settings["gymnasium"])

    environments = DummyVecEnv([environment] * settings["environments"])
    if pictures:
        environments = VecTransposeImage(environments)
    prefix, steps = ("Cnn" if pictures else "Mlp"), settings["steps"]
    common = {"n_steps": steps, "batch_size": settings["minibatch"], "n_epochs": 10, "device": "cpu"}
    if kind == "recurrent":
        from sb3_contrib import RecurrentPPO

        options = {"lstm_hidden_size": settings["units"]}
        model = RecurrentPPO(f"{prefix}LstmPolicy", environments, policy_kwargs=options, **common)
    elif kind == "ppo":
        model = PPO(f"{prefix}Policy", environments, **common)
    else:
        model, steps = A2C(f"{prefix}Policy", environments, device="cpu"), 5 * 20
    per_update = settings["environments"] * steps
    model.learn(per_update)
    start = time.perf_counter()
    model.learn(updates * per_update)
    return updates * per_update / (time.perf_counter() - start)


def multiply_adds():
    """Of one environment step of recurrent PPO on Pong: one pass forward in the rollout and, ten times, forward and
    backward, which is twice forward but for the gradient of the pixels."""
    convolutions = [20 * 20 * 32 * 8 * 8, 9 * 9 * 64 * 4 * 4 * 32, 7 * 7 * 64 * 3 * 3 * 64]
    forward = sum(convolutions) + 7 * 7 * 64 * 512 + 4 * 256 * (512 + 256)
    return forward + PPO["algorithm.epochs"] * (3 * forward - convolutions[0])


def at_most(program, recurrent, reached):
    """What the machine's arithmetic allows on Pong."""
    command = [program, "bench", "updates", "--case", "art", "--threads", THREADS, "--json"]
    report = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    limit = json.loads(report)["machine"]["multiply_adds_per_second"]
    steps = limit / multiply_adds()
    line = (f"\nOn Pong a step of recurrent PPO with the LSTM is {multiply_adds() / 1e6:.0f} million multiply-adds, of which "
            f"this machine makes at most {limit / 1e9:.0f} G/s on {THREADS} threads (`stpn bench`): that allows any program "
            f"{steps:,.0f} steps/s")
    line += f", {steps / recurrent:.1f} times RecurrentPPO" if recurrent else ""
    return f"{line}. Ours reaches {reached / steps:.0%} of it."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sb3", action="store_true", help="measure Stable-Baselines3 too")
    parser.add_argument("--lander", action="store_true", help="measure LunarLander too")
    parser.add_argument("--lander-alone", action="store_true", help="measure LunarLander and not CartPole")
    parser.add_argument("--mujoco", action="store_true", help="measure InvertedPendulum too")
    parser.add_argument("--atari", action="store_true", help="measure Pong too")
    parser.add_argument("--updates", type=int, default=40, help="updates of each of our runs; of Pong's a quarter")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/stpn")
    parser.add_argument("--out", type=pathlib.Path, help="a file for the table")
    o = parser.parse_args()
    lines = ["| task | program | steps/s | against their recurrent PPO | against their memoryless program |",
             "|---|---|---:|---:|---:|"]

    def add(line):
        lines.append(line)
        print(line, flush=True)

    print("\n".join(lines))
    tasks = ["cartpole"] * (not o.lander_alone) + ["lunar-lander"] * (o.lander or o.lander_alone)
    for task in tasks + ["inverted-pendulum"] * o.mujoco + ["pong-deepmind"] * o.atari:
        units, updates = TASKS[task]["units"], o.updates if task != "pong-deepmind" else o.updates // 4
        recurrent = memoryless = None
        if o.sb3:
            recurrent = theirs(task, "recurrent", 2)
            add(f"| {task} | sb3-contrib RecurrentPPO, LSTM {units} | {recurrent:,.0f} | | |")
            memoryless = theirs(task, "ppo", 4)
            add(f"| {task} | Stable-Baselines3 PPO | {memoryless:,.0f} | | |")
        speeds = {}
        for cell in ["stpn", "lstm", "mlp"]:
            speeds[cell] = speed = ours(o.program, task, cell, updates)
            against = memoryless if cell == "mlp" else recurrent
            ratio = f"{speed / against:.1f}×" if against else ""
            columns = ["", ratio] if cell == "mlp" else [ratio, ""]
            add(f"| {task} | ours, PPO, {cell} {units} | {speed:,.0f} | {' | '.join(columns)} |")
        if task == "pong-deepmind":
            memoryless = theirs(task, "a2c", 4) if o.sb3 else None
            if memoryless:
                add(f"| {task} | Stable-Baselines3 A2C | {memoryless:,.0f} | | |")
            limit = at_most(o.program, recurrent, speeds["lstm"])
            speed = ours(o.program, task, "mlp", 60, "a2c")
            add(f"| {task} | ours, A2C, mlp {units} | {speed:,.0f} | | {f'{speed / memoryless:.1f}×' if memoryless else ''} |")
    if o.atari:
        add(limit)
    add(f"\n{processor()}, {os.cpu_count()} cores, {THREADS} threads; commit {commit()}; seed 1. Made by "
        "`scripts/whole_loop_speed.py`.")
    if o.out:
        o.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
