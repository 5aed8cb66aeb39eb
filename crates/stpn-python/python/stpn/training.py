"""Training, watched by a callback."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, Union

from . import _stpn
from ._numbers import LARGEST_IN_TOML, optional
from ._values import plain


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

SECTIONS = frozenset(_stpn.sections())
"""The sections of a configuration by their dotted names: their keys are changed one by one."""

ARGUMENTS = "env.kwargs"
"""Arguments of a function of Python, which are set one by one, too."""

Changes = List[Tuple[str, Any]]
"""Dotted keys with their new values; None takes a key away."""


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
        dotted keys, as `**{"optimizer.learning_rate": 1e-3}`. A schedule is a value, and replaced as a whole. None
        takes an optional key away, in a dict too: `optimizer={"max_grad_norm": None}` is without that limit.
    """
    numbers = {"hidden": hidden, "seed": seed, "updates": updates, "steps": steps, "threads": threads}
    given = {name: optional(name, value, most=LARGEST_IN_TOML) for name, value in numbers.items()}
    if isinstance(experiment, Mapping):
        named = {"algo": algo, "cell": cell, "hidden": hidden, "steps": steps}
        wrong = [name for name, value in named.items() if value is not None]
        if wrong:
            raise TypeError(f"{', '.join(wrong)}: only with a preset or a file; in a dict, change the configuration")
        without: Changes = []
        table = json.dumps(_table(experiment, without))
        changes = json.dumps([*without, *_flat(overrides)])
        own = {name: given[name] for name in ("seed", "updates", "threads")}
        return json.loads(_stpn.configure_table(table, changes, **own))
    changes = json.dumps(_flat(overrides))
    return json.loads(_stpn.configure(str(experiment), changes, algo=algo, cell=cell, **given))


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

    Code that the configuration names, as `env.make` does, is run: a configuration given here counts as one's own.
    """
    resolved = config(experiment, **changes)
    directory = Path(run_dir) if run_dir is not None else _new_directory(experiment, resolved)
    new = run_dir is None or not directory.exists()
    try:
        return _trained(directory, json.dumps(resolved), None, callback, False)
    except BaseException:
        if new:
            _forget(directory)
        raise


def resume(
    run_dir: Union[str, PathLike],
    *,
    updates: Optional[int] = None,
    callback: Optional[Callable[[Progress], Any]] = None,
    trust_env_code: bool = False,
) -> Run:
    """Goes on with the run in a directory from its last checkpoint, as if it had never ended.

    updates: how many it is to have in all, if that changes.
    callback: as of `stpn.train`.
    trust_env_code: runs the code that the run's configuration names (`env.make`, `env.import`, `env.wrappers`), and
        reads environments that others pickled. Give it only if you trust the author of the run. Code that `stpn.train`
        ran in this process needs no leave.
    """
    return _trained(Path(run_dir), None, optional("updates", updates, most=LARGEST_IN_TOML), callback, trust_env_code)


def _trained(
    directory: Path,
    resolved: Optional[str],
    updates: Optional[int],
    callback: Optional[Callable[[Progress], Any]],
    trust_env_code: bool,
) -> Run:
    shown = None if callback is None else lambda *progress: callback(Progress(*progress))
    return Run(directory, *_stpn.train(directory, resolved, updates, shown, trust_env_code))


def _forget(directory: Path) -> None:
    """Removes a new folder in which no run was begun."""
    with contextlib.suppress(OSError):
        if {path.name for path in directory.iterdir()} <= {"run.lock"}:
            (directory / "run.lock").unlink(missing_ok=True)
            directory.rmdir()


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


def _flat(overrides: Mapping, prefix: str = "") -> Changes:
    """Keys with dots, and their values."""
    flat: Changes = []
    for key, value in overrides.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and _has_keys(path):
            flat += _flat(value, f"{path}.")
        else:
            flat.append((path, _or_none(path, value)))
    return flat


def _table(config: Mapping, without: Changes, prefix: str = "") -> Dict[str, Any]:
    """A configuration without the keys that are None in it, which `without` gets."""
    table: Dict[str, Any] = {}
    for key, value in config.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and _has_keys(path):
            table[key] = _table(value, without, f"{path}.")
        elif _or_none(path, value) is None:
            without.append((path, None))
        else:
            table[key] = plain(path, value)
    return table


def _has_keys(path: str) -> bool:
    return path in SECTIONS or path == ARGUMENTS


def _or_none(path: str, value: Any) -> Any:
    """A value as JSON has it. None is one, but among the arguments of a function, where it would be a value itself."""
    return None if value is None and not path.startswith(f"{ARGUMENTS}.") else plain(path, value)
