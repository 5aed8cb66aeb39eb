#!/usr/bin/env python3
"""Exports trained agents into checkpoints/ and writes their table into checkpoints/README.md.

    cargo build --release --features atari,mujoco
    python3 scripts/trained_agents.py maze-small-stpn=runs/maze-small-stpn-seed1 …

Every argument is NAME=RUN; an agent of that name is replaced, a row of the table with it. `--best NAME` takes the best
checkpoint in place of the newest, `--episodes NAME=N` another number of evaluation episodes than 100. Needs Python 3
alone. A test evaluates every agent of the table again.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import tomllib

from thinning import thin

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- agents -->\n", "<!-- /agents -->\n"
ENTRIES = 600
HEADER = ["agent", "experiment", "cell", "seed", "environment steps", "episodes", "mean return", "standard deviation",
          "random policy"]


def stpn(*arguments):
    command = [str(ROOT / "target/release/stpn"), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def row(name, episodes):
    """Measures an exported agent."""
    agent = ROOT / "checkpoints" / name
    config = tomllib.loads((agent / "config.toml").read_text())
    progress = json.loads(next(agent.glob("checkpoints/*/progress.json")).read_text())
    result = json.loads(stpn("eval", agent, "--episodes", episodes, "--json"))
    chance = json.loads(stpn("eval", agent, "--episodes", episodes, "--random", "--json"))
    env, cell = config["env"], config["policy"]["cell"]
    kind = cell.get("name") or cell["kind"]
    kind += ("f" if kind == "stpn" and not cell.get("recurrent", True) else "")
    where = f"{env['game']}, {env['preprocessing']}" if env["name"] == "atari" else env["name"]
    where += f" {env['size']}×{env['size']}" if "size" in env else ""
    return [f"[{name}]({name})", f"{where}, {config['algorithm']['name'].upper()}", f"{kind}, {config['policy']['hidden']}",
            str(config["seed"]), f"{progress['env_steps']:,}", str(episodes), f"{result['mean_return']:.2f}",
            "-" if result["std_return"] is None else f"{result['std_return']:.2f}", f"{chance['mean_return']:.2f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agents", nargs="+", metavar="NAME=RUN")
    parser.add_argument("--best", action="append", default=[], metavar="NAME")
    parser.add_argument("--episodes", action="append", default=[], metavar="NAME=N")
    o = parser.parse_args()
    episodes = dict(item.split("=") for item in o.episodes)
    readme = ROOT / "checkpoints/README.md"
    before, rest = readme.read_text().split(BEGIN)
    table, after = rest.split(END)
    rows = {line.split("](")[0].split("[")[1]: line for line in table.splitlines() if "](" in line}
    for name, run in (item.split("=") for item in o.agents):
        shutil.rmtree(ROOT / "checkpoints" / name, ignore_errors=True)
        stpn("export", *(["--best"] if name in o.best else []), run, ROOT / "checkpoints" / name)
        thin(ROOT / "checkpoints" / name / "metrics.jsonl", ENTRIES)
        rows[name] = f"| {' | '.join(row(name, int(episodes.get(name, 100))))} |"
        print(rows[name], flush=True)
    lines = [f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|", *(rows[name] for name in sorted(rows))]
    readme.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after)


main()
