"""Records episodes of the Python package POPGym, for envs/tests/popgym.

    pip install popgym==1.0.7 mazelib==0.9.16
    python popgym_recordings.py DIRECTORY [--seed N]

Writes one JSON file a task, with episodes of all three levels. An episode holds everything that chance decided: the
deck, board, maze or start (`deal`), and the numbers drawn at every moment (`luck`), so that the same episode can be
played elsewhere; then actions, observations, rewards and how it ended. `interface` is what the published wrappers,
flattened, show of its first two moments. Whole numbers of observations are digits in base 36.
"""

import argparse
import importlib
import json
import pathlib
import warnings
from importlib.metadata import version

import numpy
from gymnasium import spaces

from popgym.wrappers import Antialias, PreviousAction

warnings.filterwarnings("ignore")

LEVELS = ("Easy", "Medium", "Hard")

# Of each task: the module and class, and how the actions of each episode are chosen: the probability of a good one.
# Where there is another list, it is that of the medium and the hard level, whose episodes are long; on a
# balanced pole, moreover, roundings grow without end.
TASKS = {
    "autoencode": ("autoencode", "Autoencode", [0.5]),
    "repeat-first": ("repeat_first", "RepeatFirst", [0.5]),
    "repeat-previous": ("repeat_previous", "RepeatPrevious", [0.5]),
    "count-recall": ("count_recall", "CountRecall", [0.5]),
    "position-only-cartpole": ("position_only_cartpole", "PositionOnlyCartPole", [0.0, 1.0], [0.0]),
    "velocity-only-cartpole": ("velocity_only_cartpole", "VelocityOnlyCartPole", [0.0, 1.0], [0.0]),
    "position-only-pendulum": ("position_only_pendulum", "PositionOnlyPendulum", [0.0]),
    "noisy-position-only-cartpole": ("noisy_position_only_cartpole", "NoisyPositionOnlyCartPole", [0.0, 1.0], [0.0]),
    "noisy-position-only-pendulum": ("noisy_position_only_pendulum", "NoisyPositionOnlyPendulum", [0.0]),
    "multiarmed-bandit": ("multiarmed_bandit", "MultiarmedBandit", [0.3]),
    "higher-lower": ("higher_lower", "HigherLower", [0.3]),
    "battleship": ("battleship", "Battleship", [0.0, 0.7, 1.0]),
    "concentration": ("concentration", "Concentration", [0.0, 0.9, 1.0], [0.0, 1.0]),
    "mine-sweeper": ("minesweeper", "MineSweeper", [0.0, 0.0, 0.7, 1.0, None]),
    "labyrinth-escape": ("labyrinth_escape", "LabyrinthEscape", [0.0, 1.0], [0.7]),
    "labyrinth-explore": ("labyrinth_explore", "LabyrinthExplore", [0.0, 1.0], [0.7]),
}


class Watched:
    """A generator of random numbers that writes down what it drew."""

    def __init__(self, generator):
        self.generator, self.drawn = generator, []

    def normal(self, *arguments):
        drawn = self.generator.normal(*arguments)
        self.drawn.append([short(number) for number in drawn])
        return drawn

    def random(self, *arguments, **keywords):
        drawn = self.generator.random(*arguments, **keywords)
        if not arguments:
            self.drawn.append(drawn)
        return drawn

    def __getattr__(self, name):
        return getattr(self.generator, name)

    def take(self):
        """What was drawn since the last call: one thing or nothing."""
        drawn, self.drawn = self.drawn, []
        assert len(drawn) <= 1, drawn
        return drawn[0] if drawn else None


def short(number):
    """A 32-bit number with no more digits than it needs."""
    return float(str(numpy.float32(number)))


def deal(name, env):
    """What chance decided before the episode."""
    if name == "count-recall":
        return {"values": cards(env.value_deck), "queries": cards(env.query_deck)}
    if hasattr(env, "deck"):
        return cards(env.deck)
    if name == "battleship":
        return [bool(cell) for cell in env.board.ravel()]
    if name == "mine-sweeper":
        return [bool(cell == 1) for cell in env.hidden_grid.ravel()]
    if name == "multiarmed-bandit":
        return [short(chance) for chance in env.bandits]
    if name.startswith("labyrinth"):
        return [int(cell) for cell in env.maze.grid.ravel()]
    return [float(number) for number in env.unwrapped.state]


def cards(deck):
    """The deck as it lies, the last card on top; decks beyond the first are the same cards again."""
    return [int(card) % 52 for card in deck.idx]


def good(name, env, random):
    """An action that knows what the agent has to find out or remember; None where any is as good."""
    if name == "autoencode":
        return env.deck.suits_idx[env.deck["system"][-1]] if env.mode.value == 0 else None
    if name == "repeat-first":
        return env.card
    if name == "repeat-previous":
        hand = env.deck["player"]
        return env.deck.suits_idx[hand[-env.k]] if len(hand) >= env.k else None
    if name == "count-recall":
        return env.counts[env.query]
    if name == "higher-lower":
        following, present = env.deck.idx[len(env.deck) - 1], env.deck["player"][-1]
        return int(env.deck.ranks_idx[following] < env.deck.ranks_idx[present])
    if name == "multiarmed-bandit":
        return numpy.argmax(env.bandits)
    if name == "battleship":
        return random.permutation(numpy.argwhere((env.board == 1) & (env.guesses == 0)))[0]
    if name == "mine-sweeper":
        return random.permutation(numpy.argwhere(env.hidden_grid == 0))[0]
    if name == "concentration":
        values, turned = env.deck_idx_type[env.deck.idx], env.deck["face_up_idx"]
        left = [card for card in range(len(values)) if card not in turned + env.deck["in_play_idx"]]
        if env.deck["in_play_idx"]:
            left = [card for card in left if values[card] == values[env.deck["in_play_idx"][0]]]
        return random.permutation(left)[0]
    if name.endswith("cartpole"):
        x, speed, angle, turning = env.unwrapped.state
        return int(angle + 0.3 * turning + 0.02 * x + 0.05 * speed > 0)
    if name.startswith("labyrinth"):
        return way(name, env)
    return None


def way(name, env):
    """The first move of a shortest way to the goal, or to a square not yet visited."""
    begun, queue = {env.position}, [(env.position, None)]
    for place, first in queue:
        wanted = env.maze.grid[place] == 3 if name == "labyrinth-escape" else env.explored[place] == 0
        if wanted:
            return first
        here, env.position = env.position, place
        for move in range(4):
            beside = env.move(move)
            if beside not in begun:
                begun.add(beside)
                queue.append((beside, move if first is None else first))
        env.position = here
    raise AssertionError("no way")


def choose(name, env, skill, random):
    """The next action; without a skill the first square again and again."""
    space = env.action_space
    action = good(name, env, random) if skill is not None and random.random() < skill else None
    if isinstance(space, spaces.Discrete):
        return int(random.integers(space.n) if action is None else action)
    if isinstance(space, spaces.MultiDiscrete):
        if skill is None:
            clear = numpy.argwhere(env.hidden_grid != 1)
            return clear[0]
        return numpy.array([random.integers(n) for n in space.nvec] if action is None else action)
    # Beyond the bounds too, where the environment clips.
    return numpy.array([short(random.uniform(-2.5, 2.5))], dtype=numpy.float32)


def plain(space, values):
    """Numbers to be written: digits of a discrete space, where they suffice, else a list."""
    if isinstance(space, spaces.Box):
        return [short(number) for value in values for number in numpy.ravel(value)]
    whole = [int(number) for value in values for number in numpy.ravel(value)]
    if max(whole) >= 36:
        return whole
    return "".join(numpy.base_repr(number, 36).lower() for number in whole)


def coded(rewards):
    """Few different rewards as a table and digits."""
    values = sorted(set(rewards))
    if len(values) > 36:
        return rewards
    return {"values": values, "codes": "".join(numpy.base_repr(values.index(reward), 36).lower() for reward in rewards)}


def record(name, make, skill, seed, interface):
    """One episode."""
    random = numpy.random.default_rng(seed)
    env = make()
    env.reset(seed=seed)
    watched = Watched(env.np_random)
    env.np_random = watched
    observation, _ = env.reset()
    dealt, luck, observations = deal(name, env), [watched.take()], [observation]
    taken, rewards = [], []
    done = False
    while not done:
        action = choose(name, env, skill, random)
        observation, reward, terminated, truncated, _ = env.step(action)
        done = bool(terminated or truncated)
        taken.append(action)
        observations.append(observation)
        rewards.append(float(reward))
        luck.append(watched.take())
    episode = {"deal": dealt}
    if luck[-1] is not None:
        # A draw of the reset is seen where observations are noisy, and there alone.
        episode["luck"] = luck if luck[0] is not None else [luck[-1]] + luck[1:]
    episode |= {
        "actions": plain(env.action_space, taken),
        "observations": plain(env.observation_space, observations),
        "rewards": coded(rewards),
        "terminated": bool(terminated),
        "truncated": bool(truncated),
    }
    if interface:
        previous = PreviousAction(env)
        space = Antialias(previous).observation_space
        shown = []
        for moment, action, flag in [(0, previous.null_action, True), (1, taken[0], False)]:
            whole = PreviousAction.add_act_to_obs(env.observation_space, observations[moment], action)
            whole = Antialias.antialias_obs(previous.observation_space, whole, flag)
            flat = spaces.flatten(space, whole)
            shown.append([int(number) if number == int(number) else short(number) for number in flat])
        episode["interface"] = shown
    return episode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    versions = {package: version(package) for package in ("popgym", "gymnasium", "numpy", "mazelib")}
    total = 0
    for name, (module, cls, *plan) in TASKS.items():
        module = importlib.import_module(f"popgym.envs.{module}")
        lines = []
        for level in LEVELS:
            make = getattr(module, cls + level)
            for number, skill in enumerate(plan[0] if level == "Easy" else plan[-1]):
                episode = {"level": level.lower()}
                episode |= record(name, make, skill, 100 * arguments.seed + number, number == 0)
                lines.append(episode)
        path = arguments.directory / f"{name}.json"
        # One episode a line.
        episodes = ",\n".join(json.dumps(episode, separators=(",", ":")) for episode in lines)
        path.write_text(f'{{"task": "{name}", "versions": {json.dumps(versions)}, "episodes": [\n{episodes}\n]}}\n')
        ends = ["".join(flag[:2] for flag in ("terminated", "truncated") if line[flag]) for line in lines]
        total += path.stat().st_size
        print(f"{path}: {path.stat().st_size} bytes, ends {' '.join(ends)}")
    print(f"{total} bytes")


if __name__ == "__main__":
    main()
