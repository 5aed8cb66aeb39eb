#!/usr/bin/env python3
"""Settings searched with Optuna by ask and tell; a callback ends what does not look good.

    pip install optuna    # and the package stpn: see docs/python.md
    python examples/optuna_pruning.py [TRIALS] [UPDATES]
"""

import sys

import optuna
import stpn

trials, updates = (int(given) for given in (sys.argv[1:] + ["8", "60"][len(sys.argv) - 1 :])[:2])
study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=2))
for _ in range(trials):
    trial = study.ask()
    optimizer = {"learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)}
    hidden = trial.suggest_categorical("hidden", [16, 32, 64])

    def watch(progress):
        if "charts/episodic_return" in progress.metrics:
            trial.report(progress.metrics["charts/episodic_return"], progress.update)
        return not trial.should_prune()

    run = stpn.train("cartpole", hidden=hidden, updates=updates, optimizer=optimizer, callback=watch)
    state = optuna.trial.TrialState.COMPLETE if run.finished else optuna.trial.TrialState.PRUNED
    study.tell(trial, run.mean_return if run.finished else None, state)
    print(f"{run.directory}: {'finished' if run.finished else 'pruned'} after {run.updates} updates")
print("best", study.best_value, study.best_params)
