"""Training, watched by a callback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Union

from . import _stpn
from ._numbers import LARGEST_IN_TOML, optional


class Progress(NamedTuple):
    """What a callback is shown after an update."""

    update: int
    """Updates done."""
    env_steps: int
    """Steps taken in all environments together."""
    episodes: int
    """Episodes that ended."""
    metrics: Dict[str, float]
    """What was measured in this update, by the names of `metrics.jsonl`."""


class Run(NamedTuple):
    """A run that was trained."""

    directory: Path
    """Its directory, for `stpn.Agent.load`, `stpn.resume` and every command of `stpn`."""
    finished: bool
    """Whether nothing is left to do. It is not if the callback asked for an end."""
    updates: int
    """Updates done."""
    env_steps: int
    """Steps taken in all environments together."""
    mean_return: Optional[float]
    """Mean return of the episodes that ended in the last 50 updates, if any did."""


Experiment = Union[str, PathLike, Mapping]
"""The name of a preset, the path of a TOML file, or a configuration as a dict."""


def config(
    experiment: Experiment,
    *,
    algo: Optional[str] = None,
    cell: Optional[str] = None,
    hidden: Optional[int] = None,
    seed: Optional[int] = None,
    updates: Optional[int] = None,
    steps: Optional[int] = None,
    threads: Optional[int] = None,
    **overrides: Any,
) -> Dict[str, Any]:
    """The whole configuration of a run, as `stpn.train` would start it.

    experiment: the name of a preset (`stpn list`), the path of a TOML file, or a configuration as a dict.
    algo, cell, hidden, steps: the options of that name of `stpn train`; for a preset or a file.
    seed, updates, threads: the same, for a dict too.
    overrides: sections of the configuration with the keys to change in them, as `optimizer={"learning_rate": 1e-3}`, or
        dotted keys, as `**{"optimizer.learning_rate": 1e-3}`. None takes an optional key away.
    """
    numbers = {"hidden": hidden, "seed": seed, "updates": updates, "steps": steps, "threads": threads}
    given = {name: optional(name, value, most=LARGEST_IN_TOML) for name, value in numbers.items()}
    if isinstance(experiment, Mapping):
        named = {"algo": algo, "cell": cell, "hidden": hidden, "steps": steps}
        wrong = [name for name, value in named.items() if value is not None]
        if wrong:
            raise TypeError(f"{', '.join(wrong)}: only with a preset or a file; in a dict, change the configuration")
        table = json.loads(json.dumps(dict(experiment)))
        shortcuts = {
            "seed": given["seed"],
            "training.updates": given["updates"],
            "training.threads": given["threads"],
        }
        changes = {key: value for key, value in shortcuts.items() if value is not None}
        for key, value in {**_flat(overrides), **changes}.items():
            _set(table, key, value)
        return json.loads(_stpn.check(json.dumps(table)))
    assignments = [f"{key}={_word(value)}" for key, value in _flat(overrides).items()]
    return json.loads(_stpn.configure(str(experiment), assignments, algo=algo, cell=cell, **given))


def train(
    experiment: Experiment,
    *,
    run_dir: Union[str, PathLike, None] = None,
    callback: Optional[Callable[[Progress], Any]] = None,
    **changes: Any,
) -> Run:
    """Trains an agent, or a network on a supervised task; returns when that is done.

    experiment, changes: as of `stpn.config`.
    run_dir: a directory for what the run writes; by default a new one in `runs`.
    callback: called with a `Progress` after each update. If it returns False, or anything false but None,
        training ends after that update.

    If the callback raises, or Ctrl-C is pressed, training ends with a checkpoint, and the exception is raised again: an
    update under way has five seconds to finish, then it is given up. `stpn.resume` goes on.
    """
    resolved = config(experiment, **changes)
    directory = Path(run_dir) if run_dir is not None else _new_directory(experiment, resolved)
    return _trained(directory, json.dumps(resolved), None, callback)


def resume(
    run_dir: Union[str, PathLike],
    *,
    updates: Optional[int] = None,
    callback: Optional[Callable[[Progress], Any]] = None,
) -> Run:
    """Goes on with the run in a directory from its last checkpoint, as if it had never ended. `updates`: how many it is
    to have in all, if that changes. `callback`: as of `stpn.train`."""
    return _trained(Path(run_dir), None, optional("updates", updates, most=LARGEST_IN_TOML), callback)


def _trained(
    directory: Path, resolved: Optional[str], updates: Optional[int], callback: Optional[Callable[[Progress], Any]]
) -> Run:
    shown = None if callback is None else lambda *progress: callback(Progress(*progress))
    return Run(directory, *_stpn.train(directory, resolved, updates, shown))


def _new_directory(experiment: Experiment, resolved: Mapping) -> Path:
    """Makes the first of `runs/NAME-seedN`, `…-2`, `…-3` that does not exist."""
    name = "run" if isinstance(experiment, Mapping) else Path(str(experiment)).stem
    base = f"{name}-seed{resolved['seed']}"
    number = 1
    while True:
        directory = Path("runs", base if number == 1 else f"{base}-{number}")
        try:
            directory.mkdir(parents=True)
            return directory
        except FileExistsError:
            number += 1


def _flat(overrides: Mapping, prefix: str = "") -> Dict[str, Any]:
    """Keys with dots, and their values."""
    flat: Dict[str, Any] = {}
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _set(table: Dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise ValueError(f"{key}: {section} is a value and has no keys")
    if value is None:
        table.pop(last, None)
    else:
        table[last] = value


def _word(value: Any) -> str:
    """A value as TOML."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
