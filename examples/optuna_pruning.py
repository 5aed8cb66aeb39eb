#!/usr/bin/env python3
"""Settings searched with Optuna by ask and tell; a callback ends what does not look good.

    pip install stpn optuna
    python examples/optuna_pruning.py [TRIALS] [UPDATES]
"""

import sys

import optuna
import stpn

trials, updates = (int(given) for given in (sys.argv[1:] + ["8", "60"][len(sys.argv) - 1 :])[:2])
study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=2))

for _ in range(trials):
    trial = study.ask()
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
    hidden = trial.suggest_categorical("hidden", [16, 32, 64])

    def watch(progress):
        mean_return = progress.metrics.get("charts/episodic_return")
        if mean_return is not None:
            trial.report(mean_return, progress.update)
        return not trial.should_prune()

    run = stpn.train("cartpole", hidden=hidden, updates=updates, optimizer={"learning_rate": rate}, callback=watch)
    if run.finished:
        study.tell(trial, run.mean_return)
    else:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    print(f"{run.directory}: {'finished' if run.finished else 'pruned'} after {run.updates} updates")

print("best", study.best_value, study.best_params)
