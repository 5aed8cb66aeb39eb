#!/usr/bin/env python3
"""Where in MiniGrid's memory tasks the first object and one at the end of the corridor are in sight at once.

    pip install minigrid==3.2.0 && python3 scripts/minigrid_sight.py

If there is such a place at the end of the corridor, an agent without memory can look back from there and then choose:
the task needs no memory. Prints, for each size, the places (column, row, direction) and how many objects are in sight.
"""

import gymnasium as gym
import minigrid  # noqa: F401, registers the environments
import numpy as np

OBJECTS = ("ball", "key")
DIRECTIONS = ("right", "down", "left", "up")


def places(name):
    """Places from which the first object and one at the end are seen, in an episode of seed 0."""
    env = gym.make(name).unwrapped
    env.reset(seed=0)
    cells = [(column, row) for column in range(env.width) for row in range(env.height)]
    objects = {cell for cell in cells if getattr(env.grid.get(*cell), "type", None) in OBJECTS}
    first = min(objects)
    for cell in cells:
        if env.grid.get(*cell) is not None:
            continue
        for direction, word in enumerate(DIRECTIONS):
            env.agent_pos, env.agent_dir = np.array(cell), direction
            _, visible = env.gen_obs_grid()
            size = env.agent_view_size
            seen = {
                thing
                for thing in objects
                for column, row in [env.get_view_coords(*thing)]
                if 0 <= column < size and 0 <= row < size and visible[column, row]
            }
            if first in seen and len(seen) > 1:
                yield *cell, word, len(seen)


if __name__ == "__main__":
    for size in (7, 9, 11, 13):
        name = f"MiniGrid-MemoryS{size}-v0"
        found = ", ".join(f"({column}, {row}, {word}: {count})" for column, row, word, count in places(name))
        print(f"{name}: {found or 'nowhere'}")
