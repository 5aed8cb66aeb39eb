# What the program that started us asks for, and the environments that are made of it.


class Settings:
    """What the program that started us says, and what is made of it."""

    def __init__(self, settings):
        self.__dict__.update(settings)
        if self.folder and (self.trusted or self.leave):
            sys.path.insert(0, self.folder)
        try:
            global np, gym
            import numpy as np
            import gymnasium as gym
        except ImportError as error:
            raise Refused(
                f"{sys.executable} cannot import {error.name}: {error}. Install it there: "
                f"{sys.executable} -m pip install gymnasium"
            ) from None
        for module in getattr(self, "import"):
            self.load(module)
        self.factory = None
        if self.make:
            path, _, name = self.make.rpartition(":")
            self.factory = attribute(from_file(path), name, self.make)
        self.observation = self.action = None

    def load(self, module):
        if not self.trusted and module not in self.leave and not is_environment_package(module):
            raise Refused(
                f"`import {module}`, which env.import asks for, is no package that is installed in {sys.executable} and "
                "requires gymnasium"
            )
        try:
            loaded = importlib.import_module(module)
        except ImportError as error:
            raise Refused(
                f"{sys.executable} cannot import {module} (env.import): {error}. Install the package that has it: "
                f"{sys.executable} -m pip install {module.split('.')[0]}"
            ) from None
        if hasattr(gym, "register_envs"):
            gym.register_envs(loaded)

    def environment(self):
        """One environment with its wrappers."""
        if self.factory is not None:
            env = self.factory(**self.kwargs)
        elif self.render:
            try:
                env = self.registered(render_mode="rgb_array")
            except Exception:
                # What draws nothing may not know the word.
                env = self.registered()
        else:
            env = self.registered()
        for name in self.wrappers:
            env = wrapper(name)(env)
        if self.factory is not None and self.max_episode_steps is not None:
            env = gym.wrappers.TimeLimit(env, self.max_episode_steps)
        return env

    def registered(self, **mode):
        """One of Gymnasium's registry."""
        limit = {} if self.max_episode_steps is None else {"max_episode_steps": self.max_episode_steps}
        try:
            return gym.make(self.id, disable_env_checker=True, **mode, **limit, **self.kwargs)
        except gym.error.DependencyNotInstalled as error:
            raise Refused(f"{self.id}: {error} (in {sys.executable})") from None
        except (gym.error.NameNotFound, gym.error.NamespaceNotFound) as error:
            raise Refused(f"{error} A package that registers it is named by env.import") from None
        except gym.error.Error as error:
            raise Refused(str(error)) from None

    def describe(self):
        env = self.environment()
        try:
            self.observation = Observations(env.observation_space)
            self.action = Actions(env.action_space, self.scale_actions)
            description = {
                "observation": self.observation.description,
                "action": self.action.description,
                "records": any(type(part).__name__ == "RecordEpisodeStatistics" for part in chain(env)),
                "gymnasium": gym.__version__,
                "python": sys.version.split()[0],
            }
        finally:
            env.close()
        if self.saving is None:
            self.saving = find_saving(self)
        description["saving"] = self.saving
        return description


def is_environment_package(module):
    """Whether an installed distribution has the module and names Gymnasium among its requirements."""
    top = module.split(".")[0]
    found = importlib.util.find_spec(top)
    for distribution in importlib.metadata.distributions():
        try:
            requires = any(line.lower().startswith("gymnasium") for line in distribution.requires or ())
            files = distribution.files or () if requires else ()
        except Exception:
            continue
        # Where the distribution says the module is, and nowhere else.
        if found is not None and found.origin and any(
            file.parts[0] == top and os.path.samefile(distribution.locate_file(file), found.origin)
            for file in files
            if file.name == os.path.basename(found.origin) and os.path.exists(distribution.locate_file(file))
        ):
            return True
    return False


def from_file(path):
    if not path.endswith(".py"):
        return importlib.import_module(path)
    if not os.path.exists(path):
        raise Refused(f"{path}, which env.make names, does not exist")
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    # Where pickle looks for its classes.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def wrapper(name):
    module, _, last = name.rpartition(":")
    return attribute(importlib.import_module(module), last, name)


def attribute(module, name, asked):
    """What a module has by that name."""
    try:
        return getattr(module, name)
    except AttributeError:
        own = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise Refused(f"{asked}: {module.__name__} has no `{name}`; it has {', '.join(own) or 'nothing to call'}") from None


def chain(env):
    """The environment, and what is inside of it."""
    while True:
        yield env
        inner = getattr(env, "env", None)
        if inner is None or inner is env:
            return
        env = inner


