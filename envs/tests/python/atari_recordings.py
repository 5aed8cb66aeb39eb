"""Records Atari games played by ale_py and seen through Gymnasium's wrappers, for envs/tests/atari/python.rs.

    pip install ale-py==0.12.1 gymnasium==1.4.0 opencv-python-headless==4.13.0.92
    python atari_recordings.py DIRECTORY [--frames N] [--pictures N]

Writes for every game and repeat probability one JSON file: N frames with random actions, of each the reward, the lives,
the end of the episode, and the SHA-256 of the memory, the palette screen, the gray and the colour screen. And for every
game and preprocessing a JSON file and a file of bytes: N pictures of 84×84, as the agent would get them.
`cargo xtask check` records and compares 2,000 frames; the committed copy has fewer.
"""

import argparse
import hashlib
import json
import pathlib

import ale_py
import cv2
import gymnasium
import numpy
from ale_py import roms

GAMES = ["pong", "breakout", "seaquest", "space_invaders"]
GYMNASIUM_NAMES = {"pong": "Pong", "breakout": "Breakout", "seaquest": "Seaquest", "space_invaders": "SpaceInvaders"}
CUT = 25


def digest(*arrays):
    return hashlib.sha256(b"".join(numpy.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def play(game, probability, seed, frames):
    """The emulator itself."""
    ale = ale_py.ALEInterface()
    ale.setFloat("repeat_action_probability", probability)
    ale.setInt("random_seed", seed)
    ale.setInt("max_num_frames_per_episode", 1500)
    ale.loadROM(roms.get_rom_path(game))
    ale.reset_game()
    actions = ale.getMinimalActionSet()
    random = numpy.random.default_rng(seed)
    recorded = []
    for _ in range(frames):
        action = actions[random.integers(len(actions))]
        reward = ale.act(action)
        over = ale.game_over()
        screens = [ale.getRAM(), ale.getScreen(), ale.getScreenGrayscale(), ale.getScreenRGB()]
        recorded.append([action.value, reward, ale.lives(), over, digest(*screens)])
        if over:
            ale.reset_game()
    return {"ale": ale_py.__version__, "game": game, "seed": seed, "probability": probability, "frames": recorded}


def pictures(game, preprocessing, seed, count):
    """What an agent sees, and its actions, rewards and ends of episodes."""
    options = {"frameskip": 1, "repeat_action_probability": 0.0, "full_action_space": False}
    env = gymnasium.make(f"ALE/{GYMNASIUM_NAMES[game]}-v5", **options)
    if preprocessing == "deepmind":
        env = gymnasium.wrappers.AtariPreprocessing(env, noop_max=0, frame_skip=4, screen_size=84)
    random = numpy.random.default_rng(seed)

    def picture(observation):
        if preprocessing == "deepmind":
            return observation
        # The mean is taken after the resizing, and rounded here, for the comparison.
        small = cv2.resize(observation[CUT:-CUT], (84, 84), interpolation=cv2.INTER_AREA)
        return numpy.rint(small.mean(axis=2)).astype(numpy.uint8)

    observation, _ = env.reset(seed=seed)
    seen, steps = [picture(observation)], []
    for _ in range(count):
        action = int(random.integers(env.action_space.n))
        observation, reward, terminated, truncated, _ = env.step(action)
        # Gymnasium shows an old picture where an episode ends within the skipped frames.
        steps.append([action, float(reward), bool(terminated or truncated)])
        if terminated or truncated:
            observation, _ = env.reset()
        seen.append(picture(observation))
    versions = {"gymnasium": gymnasium.__version__, "opencv": cv2.__version__}
    return versions | {"game": game, "preprocessing": preprocessing, "steps": steps}, numpy.stack(seen)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    gymnasium.register_envs(ale_py)
    for game in GAMES:
        for probability in [0.0, 0.25]:
            recording = play(game, probability, arguments.seed, arguments.frames)
            name = f"{game}-{'sticky' if probability else 'plain'}.json"
            (arguments.directory / name).write_text(json.dumps(recording))
        for preprocessing in ["deepmind", "paper"]:
            recording, seen = pictures(game, preprocessing, arguments.seed, arguments.pictures)
            (arguments.directory / f"{game}-{preprocessing}.json").write_text(json.dumps(recording))
            (arguments.directory / f"{game}-{preprocessing}.u8").write_bytes(seen.tobytes())


if __name__ == "__main__":
    main()
