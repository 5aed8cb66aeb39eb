# What environments show and take, as rows of numbers.


class Observations:
    """How observations of a space become a row of numbers."""

    def __init__(self, space):
        spaces = gym.spaces
        self.space, self.convert, dtype = space, None, "f32"
        low = high = None
        if isinstance(space, spaces.Box):
            shape, image = space.shape, space.dtype == np.uint8
            if image:
                dtype = "u8"
                if len(shape) == 2:
                    shape = (1, *shape)
                elif len(shape) == 3 and shape[2] in (1, 3, 4):
                    shape = (shape[2], *shape[:2])
                    self.convert = lambda seen: seen.transpose(2, 0, 1)
            low, high = bounds(space)
            if image and self.convert:
                low, high = self.convert(low), self.convert(high)
            self.raw_shape, self.raw_dtype = space.shape, space.dtype
        elif isinstance(space, spaces.Discrete):
            start = int(space.start)
            shape, self.convert = (), (lambda seen: seen - start) if start else None
            self.raw_shape, self.raw_dtype = (), np.dtype(np.int64)
        elif isinstance(space, spaces.MultiDiscrete):
            start = space.start if np.any(getattr(space, "start", 0)) else None
            shape, self.convert = space.nvec.shape, (lambda seen: seen - start) if start is not None else None
            self.raw_shape, self.raw_dtype = space.nvec.shape, space.dtype
        elif isinstance(space, spaces.MultiBinary):
            shape = self.raw_shape = space.shape
            self.raw_dtype = space.dtype
        elif isinstance(space, (spaces.Dict, spaces.Tuple)):
            refuse_unflattenable(space, "observation")
            flat = spaces.flatten_space(space)
            shape, (low, high) = flat.shape, bounds(flat)
            self.convert = lambda seen: spaces.flatten(space, seen)
            self.raw_shape = self.raw_dtype = None
        else:
            raise Refused(f"observations of {name_of(space)} are not supported: {hint(space)}")
        self.shape, self.dtype, self.known = shape, np.uint8 if dtype == "u8" else np.float32, set()
        self.usual = self.raw_dtype
        if low is not None:
            self.description = {
                "kind": "box",
                "shape": list(shape),
                "low": numbers(low),
                "high": numbers(high),
                "dtype": dtype,
            }
        else:
            self.description = choices_of(space)

    def check(self, seen):
        """The observation as an array of the space's shape and kind of numbers."""
        if type(seen) is not np.ndarray:
            if self.raw_shape is None:
                return seen
            if isinstance(self.space, gym.spaces.Box) and not isinstance(seen, (np.generic, list, tuple, float, int)):
                raise TypeError(f"an observation is a {type(seen).__name__}, where {self.space} was promised")
            seen = np.asarray(seen)
        if seen.shape != self.raw_shape and self.raw_shape is not None:
            raise ValueError(f"an observation has the shape {seen.shape}, where {self.space} was promised")
        if seen.dtype not in self.known and self.raw_dtype is not None:
            if self.dtype == np.uint8:
                fits = seen.dtype == np.uint8
            else:
                fits = np.can_cast(seen.dtype, self.raw_dtype, "same_kind")
            if not fits:
                raise TypeError(f"an observation has the dtype {seen.dtype}, where {self.space} was promised")
            self.known.add(seen.dtype)
        return seen

    def write(self, seen, into):
        # What comes at every step, first.
        if not (type(seen) is np.ndarray and seen.dtype is self.usual and seen.shape == self.raw_shape):
            seen = self.check(seen)
        into[...] = seen if self.convert is None else self.convert(seen)


class Actions:
    """How a row of numbers becomes an action."""

    def __init__(self, space, scaled):
        spaces = gym.spaces
        self.space = space
        if isinstance(space, spaces.Discrete):
            start = int(space.start)
            self.len, self.dtype, self.convert = 1, np.uint32, lambda row: int(row[0]) + start
        elif isinstance(space, spaces.MultiDiscrete):
            start, shape = getattr(space, "start", 0), space.nvec.shape
            self.len, self.dtype = int(space.nvec.size), np.uint32
            self.convert = lambda row: (row.astype(space.dtype).reshape(shape) + start).astype(space.dtype)
        elif isinstance(space, spaces.MultiBinary):
            self.len, self.dtype = int(np.prod(space.shape)), np.uint32
            self.convert = lambda row: row.astype(space.dtype).reshape(space.shape)
        elif isinstance(space, spaces.Box) and space.dtype.kind == "f":
            self.len, self.dtype = int(np.prod(space.shape)), np.float32
            self.convert = lambda row: row.astype(space.dtype).reshape(space.shape)
            if scaled:
                if not space.is_bounded():
                    raise Refused(f"env.scale_actions needs actions with finite bounds, which {space} has not")
                half = (space.high - space.low) / 2
                self.convert = lambda row: np.clip(
                    space.low + (row.reshape(space.shape) + 1) * half, space.low, space.high
                ).astype(space.dtype)
        else:
            why = hint(space)
            if isinstance(space, spaces.Box):
                why = f"its numbers are {space.dtype}, and actions are floats: a wrapper (env.wrappers) can round them"
            raise Refused(f"actions of {name_of(space)} are not supported: {why}")
        if isinstance(space, spaces.Box):
            low, high = bounds(space)
            if scaled:
                low, high = -np.ones_like(low), np.ones_like(high)
            self.description = {
                "kind": "box",
                "shape": list(space.shape),
                "low": numbers(low),
                "high": numbers(high),
                "dtype": "f32",
            }
        else:
            self.description = choices_of(space)


def bounds(space):
    return np.asarray(space.low, np.float32), np.asarray(space.high, np.float32)


def numbers(array):
    """Bounds as a list; infinities, which JSON has not, as null."""
    return [float(value) if np.isfinite(value) else None for value in array.ravel()]


def choices_of(space):
    if isinstance(space, gym.spaces.Discrete):
        return {"kind": "discrete", "n": int(space.n)}
    if isinstance(space, gym.spaces.MultiDiscrete):
        return {"kind": "multi-discrete", "counts": [int(count) for count in space.nvec.ravel()]}
    return {"kind": "multi-binary", "n": int(np.prod(space.shape))}


def name_of(space):
    return type(space).__name__


def hint(space):
    if isinstance(space, (gym.spaces.Dict, gym.spaces.Tuple)):
        return "a wrapper (env.wrappers) can make one space of it"
    return "a wrapper (env.wrappers) can leave it out or turn it into numbers"


def refuse_unflattenable(space, what):
    """Refuses parts that cannot become numbers, and images beside anything else."""
    parts = list(leaves(space))
    for path, part in parts:
        if isinstance(part, gym.spaces.Box) and part.dtype == np.uint8 and len(part.shape) >= 2:
            raise Refused(
                f"the part `{path}` of the {what}s is an image beside other parts: choose one by a wrapper, as "
                'env.wrappers = ["minigrid.wrappers:ImgObsWrapper"] does'
            )
    for path, part in parts:
        known = (gym.spaces.Box, gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary)
        if not isinstance(part, known):
            raise Refused(f"the part `{path}` of the {what}s is a {name_of(part)}, which is not supported: {hint(part)}")


def leaves(space, path=""):
    if isinstance(space, gym.spaces.Dict):
        inner = space.spaces.items()
    elif isinstance(space, gym.spaces.Tuple):
        inner = enumerate(space.spaces)
    else:
        yield path, space
        return
    for key, part in inner:
        yield from leaves(part, f"{path}.{key}" if path else str(key))


