#!/usr/bin/env python3
"""One training followed in Weights & Biases and in Trackio, by a callback. Both stay on this machine.

    pip install wandb trackio    # and the package stpn: see docs/python.md
    python examples/track_runs.py [UPDATES]

`wandb sync wandb/offline-run-…` uploads the first, `trackio show` opens the second.
"""

import sys

import stpn
import trackio
import wandb

config = stpn.config("cartpole", updates=int(sys.argv[1]) if len(sys.argv) > 1 else 100)
offline = wandb.init(project="stpn", mode="offline", config=config)
trackio.init(project="stpn", config=config)


def watch(progress):
    offline.log(progress.metrics, step=progress.update)
    trackio.log(progress.metrics, step=progress.update)


run = stpn.train(config, callback=watch)
offline.summary["mean_return"] = run.mean_return
offline.finish()
trackio.finish()
print(f"{run.directory}: {run.updates} updates, mean return {run.mean_return:.1f}")
