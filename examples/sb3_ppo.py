#!/usr/bin/env python3
"""PPO of Stable-Baselines3 on environments of stpn, all stepped together in Rust.

    pip install gymnasium stable-baselines3    # and the package stpn: see docs/python.md
    python examples/sb3_ppo.py [STEPS] [ENVIRONMENT]
"""

import sys

import numpy as np
import stpn.sb3
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
name = sys.argv[2] if len(sys.argv) > 2 else "cartpole"

envs = VecMonitor(stpn.sb3.VecEnv(stpn.make_vec(name, num_envs=16)))
model = PPO("MlpPolicy", envs, n_steps=128, batch_size=256, n_epochs=4, learning_rate=1e-3, seed=1, device="cpu")
model.learn(steps)
print(f"mean return of the last episodes {np.mean([episode['r'] for episode in model.ep_info_buffer]):.1f}")
