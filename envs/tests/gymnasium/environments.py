"""Environments for the tests of the bridge to Gymnasium."""

import ctypes
import os

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Rounded(gym.Wrapper):
    """Always in a state that an observation of 32 bits tells exactly."""

    def reset(self, **arguments):
        return self.rounded(*super().reset(**arguments))

    def step(self, action):
        return self.rounded(*super().step(action))

    def rounded(self, seen, *rest):
        self.unwrapped.state = tuple(float(value) for value in np.float32(seen))
        return (seen, *rest)


def cartpole():
    return Rounded(gym.make("CartPole-v1"))


class RoundedPendulum(gym.Wrapper):
    """Starts in a state that an observation of 32 bits tells exactly."""

    def reset(self, **arguments):
        seen, info = super().reset(**arguments)
        seen = np.float32(seen).astype(np.float64)
        self.unwrapped.set_state(seen[:2], seen[2:])
        return seen, info


def inverted_pendulum():
    return RoundedPendulum(gym.make("InvertedPendulum-v5"))


class Maze(gym.Env):
    """A square without walls: find the corner that pays. Its hooks save it."""

    SIDE = 4

    def __init__(self, hooks=True):
        self.observation_space = spaces.Dict(
            {"row": spaces.Discrete(self.SIDE), "column": spaces.Discrete(self.SIDE), "paid": spaces.Box(0, 1, (1,))}
        )
        self.action_space = spaces.Discrete(4, start=1)
        if hooks:
            self.get_state, self.set_state = self._get_state, self._set_state

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.goal = int(self.np_random.integers(4))
        self.place, self.steps, self.paid = [1, 1], 0, 0.0
        return self.seen(), {}

    def seen(self):
        row, column = self.place
        return {"row": row, "column": column, "paid": np.array([self.paid], np.float32)}

    def step(self, action):
        assert self.action_space.contains(action), action
        axis, move = divmod(action - 1, 2)
        self.place[axis] = min(max(self.place[axis] + (1 if move else -1), 0), self.SIDE - 1)
        corner = [self.goal // 2 * (self.SIDE - 1), self.goal % 2 * (self.SIDE - 1)]
        self.paid = float(self.place == corner)
        if self.paid:
            self.place = [1, 1]
        self.steps += 1
        return self.seen(), self.paid, False, self.steps == 25, {}

    def _get_state(self):
        return self.goal, list(self.place), self.steps, self.paid, self.np_random.bit_generator.state

    def _set_state(self, state):
        self.goal, self.place, self.steps, self.paid, generator = state
        self.np_random.bit_generator.state = generator


class Choices(gym.Env):
    """Shows what it was told, in spaces of choices that do not begin at 0."""

    def __init__(self, space):
        self.action_space = {
            "multi-discrete": spaces.MultiDiscrete([2, 3], start=[1, 5]),
            "multi-binary": spaces.MultiBinary(3),
            "discrete": spaces.Discrete(3, start=-1),
        }[space]
        self.observation_space = self.action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.action_space.seed(int(self.np_random.integers(1 << 30)))
        self.left = 6
        return self.action_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action), repr(action)
        self.left -= 1
        return action, 1.0, self.left == 0, False, {}


class Images(gym.Env):
    """Pictures [rows, columns, colours] whose pixels say where they are, and actions within uneven bounds."""

    def __init__(self):
        self.observation_space = spaces.Box(0, 255, (2, 4, 3), np.uint8)
        self.action_space = spaces.Box(np.float32([0.0, -4.0]), np.float32([1.0, 2.0]))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.seen(), {}

    def seen(self):
        return (np.arange(24, dtype=np.uint8) + np.uint8(self.steps)).reshape(2, 4, 3)

    def step(self, action):
        assert self.action_space.contains(action), repr(action)
        self.steps += 1
        return self.seen(), float(action[0] + 10 * action[1]), False, self.steps == 5, {}


class Refused(gym.Env):
    def __init__(self, space):
        image = spaces.Box(0, 255, (4, 4, 3), np.uint8)
        self.observation_space = {
            "text": spaces.Text(5),
            "sequence": spaces.Sequence(spaces.Discrete(2)),
            "image beside": spaces.Dict({"image": image, "speed": spaces.Box(-1, 1, (2,))}),
            "text within": spaces.Dict({"mission": spaces.Text(5), "speed": spaces.Box(-1, 1, (2,))}),
        }.get(space, spaces.Box(0, 1, (1,)))
        self.action_space = {
            "dict action": spaces.Dict({"a": spaces.Discrete(2)}),
            "integers": spaces.Box(0, 3, (2,), np.int64),
        }.get(space, spaces.Discrete(2))


class Faulty(gym.Env):
    """Breaks at a step where `flag` does not exist yet; with it, never again. Not with the small seeds of the trials by
    which a way of saving is found."""

    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)

    def __init__(self, fault, flag, at=5):
        self.fault, self.flag, self.at = fault, flag, at

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        if seed is not None:
            self.armed = seed > 1000
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        seen, reward = np.full(2, 0.5, np.float32), 1.0
        if self.armed and self.steps >= self.at and action == 1 and not os.path.exists(self.flag):
            open(self.flag, "w").close()
            fault = self.fault
            if fault == "exception":
                raise RuntimeError("the robot fell over")
            if fault == "exit":
                os._exit(3)
            if fault == "hang":
                while True:
                    pass
            if fault == "nan":
                seen = np.array([0.5, np.nan], np.float32)
            if fault == "shape":
                seen = np.zeros(3, np.float32)
            if fault == "dtype":
                seen = np.array(["a", "b"])
            if fault == "segfault":
                ctypes.string_at(0)
            if fault == "leak":
                self.leak = np.ones(1 << 28, np.int64)
        return seen, reward, False, self.steps == 400, {}


class Unsavable(gym.Env):
    """Draws from the system's random numbers, so that nothing repeats it."""

    observation_space = spaces.Box(0, 1, (1,))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return self.seen(), {}

    def seen(self):
        return np.array([int.from_bytes(os.urandom(3), "little") / (1 << 24)], np.float32)

    def step(self, action):
        self.steps += 1
        return self.seen(), 0.0, False, self.steps == 9, {}
