# Saving environments, by the first of these ways that was seen to work: hooks of their own, pickle, playing the
# episode again from its seed.

WAYS = ("hooks", "pickle", "replay", "none")

# Steps before a copy is made, and steps that the copy and the original then take.
BEFORE, AFTER = 9, 60


def find_saving(settings):
    """The first way of saving after which a copy goes on as the original does; and whether all is deterministic."""
    for way in WAYS[:-1]:
        try:
            if works(settings, way):
                return way
        except Exception:
            continue
    return "none"


def works(settings, way):
    original, copy = settings.environment(), settings.environment()
    try:
        actions = sampler(settings)
        original.reset(seed=1)
        taken = [next(actions) for _ in range(BEFORE)]
        ended = play(original, taken, stop=True)
        if way == "replay":
            # Another history, of which nothing may be left.
            copy.reset(seed=2)
            play(copy, [next(actions) for _ in range(BEFORE)])
            copy.reset(seed=1)
            play(copy, taken[:ended], stop=True)
        else:
            copy.reset(seed=2)
            copy = restore(settings, copy, save(settings, original, way), way)
        # Side by side, so that what they share shows.
        for action in [next(actions) for _ in range(AFTER)]:
            seeds = {"seed": 3} if way == "replay" else {}
            if not same(once(original, action, seeds), once(copy, action, seeds)):
                return False
        return True
    finally:
        original.close()
        copy.close()


def sampler(settings):
    space = settings.action.space
    space.seed(1)
    while True:
        yield space.sample()


def play(env, actions, stop=False):
    """Takes these actions, up to the end of the episode where asked to; how many were taken."""
    for number, action in enumerate(actions, 1):
        *_, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
            if stop:
                return number
    return len(actions)


def once(env, action, seeds):
    seen, reward, terminated, truncated, _ = env.step(action)
    following = env.reset(**seeds)[0] if terminated or truncated else None
    return seen, float(reward), bool(terminated), bool(truncated), following


def same(left, right):
    if isinstance(left, dict):
        return isinstance(right, dict) and left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, (tuple, list)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, np.ndarray):
        return np.array_equal(left, right)
    return left == right


def save(settings, env, way=None):
    way = way or settings.saving
    if way == "hooks":
        limits = [part._elapsed_steps for part in chain(env) if hasattr(part, "_elapsed_steps")]
        return json.dumps(plain([env.unwrapped.get_state(), limits])).encode()
    # Read back and written again, it no longer depends on which equal values are one object.
    return pickle.dumps(pickle.loads(pickle.dumps(env)))


def restore(settings, env, data, way=None):
    """The environment in that state: the same one, or another in its place."""
    way = way or settings.saving
    if way == "hooks":
        state, limits = unplain(json.loads(data))
        # As after any reset: wrappers that look for one see it.
        env.reset()
        env.unwrapped.set_state(state)
        for part, elapsed in zip((part for part in chain(env) if hasattr(part, "_elapsed_steps")), limits):
            part._elapsed_steps = elapsed
        return env
    restored = Restricted(data, allowed(settings)).load()
    env.close()
    return restored


def plain(value):
    """A state as JSON can hold it, arrays and bytes included; nothing that would have to be executed to be read."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return {"array": [value.dtype.str, list(value.shape), base64.b64encode(value.tobytes()).decode()]}
    if isinstance(value, np.generic):
        return plain(np.asarray(value))
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, tuple):
        return {"tuple": [plain(part) for part in value]}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {"dict": [[plain(key), plain(part)] for key, part in value.items()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a state holds a {type(value).__name__}")


def unplain(value):
    if isinstance(value, list):
        return [unplain(part) for part in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        dtype, shape, data = content
        return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()
    if kind == "bytes":
        return base64.b64decode(content)
    if kind == "tuple":
        return tuple(unplain(part) for part in content)
    return {unplain(key): unplain(part) for key, part in content}


# A checkpoint may be a stranger's, and a pickle can call whatever it names. So it may name only what the pickle of an
# environment made here names, and classes of the modules that it names beside general ones. What can call others
# by name, or reach into what it is given, makes pickling unfit.
UNFIT = {"eval", "exec", "compile", "getattr", "setattr", "__import__", "open", "input", "breakpoint", "globals"}
GENERAL = {"builtins", "copyreg", "numpy", "collections", "functools", "operator", "random", "itertools", "gymnasium"}
UNFIT_MODULES = {"os", "posix", "nt", "sys", "subprocess", "importlib", "runpy", "pty", "socket", "shutil", "ctypes"}
UNFIT_MODULES |= {"pickle", "cloudpickle", "dill", "marshal", "types", "code", "functools", "operator"}


def allowed(settings):
    if not hasattr(settings, "names"):
        env = settings.environment()
        try:
            env.reset(seed=0)
            names = named(pickle.dumps(env))
            play(env, [action for action, _ in zip(sampler(settings), range(BEFORE))])
            names |= named(pickle.dumps(env))
        finally:
            env.close()
        for module, name in names:
            if module.split(".")[0] in UNFIT_MODULES or (module == "builtins" and name in UNFIT):
                raise pickle.UnpicklingError(f"its pickle names {module}.{name}")
        settings.names = names
    return settings.names


def named(data):
    """Every global that a pickle names."""
    found = []

    class Recorder(pickle.Unpickler):
        def find_class(self, module, name):
            found.append((module, name))
            return super().find_class(module, name)

    Recorder(io.BytesIO(data)).load()
    return set(found)


class Restricted(pickle.Unpickler):
    def __init__(self, data, names):
        super().__init__(io.BytesIO(data))
        self.names = names
        self.modules = {module for module, _ in names if module.split(".")[0] not in GENERAL}

    def find_class(self, module, name):
        if (module, name) in self.names:
            return super().find_class(module, name)
        if module in self.modules and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"the saved state names {module}.{name}, which no environment made here does")


