"""Steps per second through worker processes beside Gymnasium's own vectors, in turns, in one run.

    cargo build --release -p stpn-envs --example gymnasium_speed
    python3 scripts/gymnasium_speed.py [--environments 16] [--seconds 3] [--rounds 3] [ID …]

The Python that runs this runs the environments too. Random actions, drawn beforehand.
"""

import argparse
import os
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np

PROGRAM = "target/{}/examples/gymnasium_speed"


def theirs(kind, name, environments, seconds):
    """Steps per second of a vector of Gymnasium."""
    make = [lambda: gym.make(name, disable_env_checker=True)] * environments
    vector = (gym.vector.AsyncVectorEnv if kind == "async" else gym.vector.SyncVectorEnv)(make)
    vector.action_space.seed(0)
    actions = [vector.action_space.sample() for _ in range(61)]
    vector.reset(seed=0)
    steps, start = 0, None
    # A tenth of the time goes before, unmeasured.
    begin = time.perf_counter()
    while start is None or time.perf_counter() - start < seconds:
        vector.step(actions[steps % 61])
        steps += 1
        if start is None and time.perf_counter() - begin > seconds / 10:
            steps, start = 0, time.perf_counter()
    speed = steps * environments / (time.perf_counter() - start)
    vector.close()
    return speed


def ours(profile, name, environments, seconds):
    command = [PROGRAM.format(profile), name, str(environments), str(seconds)]
    environment = dict(os.environ, STPN_PYTHON=sys.executable)
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ids", nargs="*", default=["CartPole-v1", "LunarLander-v3", "HalfCheetah-v5"])
    parser.add_argument("--environments", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", default="release", help="the folder of the program: release or debug")
    arguments = parser.parse_args()
    print(f"| environment, {arguments.environments} of them | AsyncVectorEnv | SyncVectorEnv | ours | against Async | against the better |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in arguments.ids:
        best = {"async": 0.0, "sync": 0.0, "ours": 0.0}
        for _ in range(arguments.rounds):
            for kind in ("async", "sync"):
                best[kind] = max(best[kind], theirs(kind, name, arguments.environments, arguments.seconds))
            speed = ours(arguments.profile, name, arguments.environments, arguments.seconds)
            best["ours"] = max(best["ours"], speed)
        better = max(best["async"], best["sync"])
        numbers = " | ".join(f"{best[kind]:,.0f}" for kind in ("async", "sync", "ours"))
        print(f"| {name} | {numbers} | {best['ours'] / best['async']:.1f}× | {best['ours'] / better:.1f}× |")
    print(f"\nSteps per second, the best of {arguments.rounds} rounds of {arguments.seconds:g} s, in turns; ", end="")
    print(f"{os.cpu_count()} cores, Gymnasium {gym.__version__}, NumPy {np.__version__}, Python {sys.version.split()[0]}.")


if __name__ == "__main__":
    main()
