#!/usr/bin/env python3
"""Records what rliable makes of a table of scores, for the test of `stpn`'s own statistics.

    pip install rliable==1.2.0 && python3 scripts/record_rliable.py

Writes crates/stpn/tests/data/rliable.json: scores, interquartile means and probabilities of improvement with their
intervals. rliable has its own random numbers: intervals agree up to the error of 10,000 resamples.
"""

import json
import pathlib

import numpy
from rliable import library, metrics

OUT = pathlib.Path(__file__).resolve().parent.parent / "crates/stpn/tests/data/rliable.json"
RESAMPLES = 10_000


def main():
    random = numpy.random.default_rng(7)
    # Runs × tasks, as rliable has them: one task, few and many seeds, and equal scores.
    scores = {
        "a": numpy.round(random.normal(0.6, 0.2, (5, 3)), 2),
        "b": numpy.round(random.normal(0.5, 0.3, (5, 3)), 2),
        "c": numpy.round(random.uniform(0, 1, (10, 3)), 1),
    }
    aggregate = lambda table: numpy.array([metrics.aggregate_iqm(table)])
    seeded = numpy.random.RandomState(1)
    points, intervals = library.get_interval_estimates(scores, aggregate, reps=RESAMPLES, random_state=seeded)
    pairs = {"a,b": (scores["a"], scores["b"]), "b,c": (scores["b"], scores["c"])}
    improvement, improvement_intervals = library.get_interval_estimates(
        pairs, metrics.probability_of_improvement, reps=RESAMPLES, random_state=seeded)
    record = {
        "scores": {name: table.T.tolist() for name, table in scores.items()},
        "iqm": {name: [float(points[name][0]), *intervals[name][:, 0].tolist()] for name in scores},
        "improvement": {name: [float(improvement[name]), *numpy.ravel(improvement_intervals[name]).tolist()]
                        for name in pairs},
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
