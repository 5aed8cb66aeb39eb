# Requests and answers.

RECORD = struct.Struct("<HHI")
BEGIN, MAP, MAKE, RESET, STEP, SAVE, RESTORE, REPLAY, RENDER, CHECK, CLOSE = range(11)
DONE, STEPPED, FAILED = 0, 1, 2

# Seconds for which it stays awake without a request, giving way to whatever else wants to run.
AWAKE = 1e-3
give_way = getattr(os, "sched_yield", lambda: time.sleep(0))

# The shared file: which row is at work, then three tables with an entry for each row: what comes in, what goes out, and
# the observation that follows an end.
AT_WORK = struct.Struct("<I")
INCOMING = struct.Struct("<QQ")  # A seed, and whether there is one.
OUTGOING = struct.Struct("<dQdQ")  # Reward, flags, return and length of a recorded episode.
TERMINATED, TRUNCATED, RECORDED = 1, 2, 4


def main():
    # Whatever an environment prints must not get between the records.
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # A crash says where it was.
    faulthandler.enable()
    # The program that started us decides when we end, also where a signal goes to the whole group of processes.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    die_with_parent()
    worker = Worker(answers)
    os.set_blocking(requests, False)
    pending = b""
    while True:
        received = receive(requests)
        if not received:
            break
        pending += received
        at, replies = 0, []
        while at + RECORD.size <= len(pending):
            row, command, length = RECORD.unpack_from(pending, at)
            end = at + RECORD.size + length
            if end > len(pending):
                break
            if command == STEP:
                replies.append(worker.step(row))
            else:
                replies += worker.answer(row, command, pending[at + RECORD.size : end])
            at = end
        pending = pending[at:]
        send(answers, b"".join(replies))
        worker.watch_memory()
    worker.close()


def receive(pipe):
    """What has come next, empty at the end. The next request of a rollout mostly comes within moments: a process that
    sleeps in between is woken late, and often on the processor of the one that asks."""
    end = None
    while True:
        try:
            return os.read(pipe, 1 << 16)
        except BlockingIOError:
            now = time.perf_counter()
            if end is None:
                end = now + AWAKE
            if now < end:
                give_way()
            else:
                select.select([pipe], [], [])


def send(pipe, data):
    while data:
        data = data[os.write(pipe, data) :]


def die_with_parent():
    """Ends this process where the one that started it ends without a word, whatever an environment is doing."""
    parent = os.getppid()
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Worker:
    """Environments by row."""

    def __init__(self, answers):
        self.answers = answers
        self.settings = None
        self.rows = {}
        self.memory = None
        self.batches = 0

    def step(self, row):
        """The answer to the request to step."""
        try:
            AT_WORK.pack_into(self.memory, 0, row + 1)
            place = self.rows[row]
            place.step()
            return place.stepped
        except BaseException as error:
            return b"".join(refusal(row, error))

    def answer(self, row, command, payload):
        """The parts of the answer to a request."""
        if command == CLOSE:
            # Nobody waits for an answer.
            self.drop(row)
            return ()
        try:
            payload = self.act(row, command, payload)
            return RECORD.pack(row, DONE, len(payload)), payload
        except BaseException as error:
            return refusal(row, error)

    def act(self, row, command, payload):
        if self.memory is not None:
            AT_WORK.pack_into(self.memory, 0, row + 1)
        if command == BEGIN:
            self.settings = Settings(json.loads(payload))
            return json.dumps(self.settings.describe()).encode()
        if command == MAP:
            self.map(json.loads(payload))
            return b""
        if command == MAKE:
            self.drop(row)
            self.rows[row] = Row(self, row, self.settings.environment())
            return b""
        if command == CHECK:
            return json.dumps(check(self.settings, json.loads(payload))).encode()
        return self.rows[row].act(command, payload)

    def map(self, layout):
        """Opens the shared file."""
        self.settings.__dict__.update(layout)
        with open(layout["path"], "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def drop(self, row):
        before = self.rows.pop(row, None)
        if before is not None:
            before.close()

    def close(self):
        for row in list(self.rows):
            self.drop(row)

    def watch_memory(self):
        """Ends rather than grow beyond the limit, where there is one: what has leaked comes back in no other way."""
        self.batches += 1
        if self.batches % 64 == 0 and self.settings is not None and self.settings.memory_limit:
            used = resident_mib()
            if used > self.settings.memory_limit:
                limit = self.settings.memory_limit
                print(f"it takes {used} MiB, more than env.memory_limit = {limit}", file=sys.stderr, flush=True)
                os._exit(1)


def refusal(row, error):
    """The parts of an answer that says what went wrong."""
    if isinstance(error, Refused):
        text = str(error)
    else:
        # Without the lines of this program.
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__.tb_next))
    text = text.strip().encode("utf-8", "replace")
    return RECORD.pack(row, FAILED, len(text)), text


def resident_mib():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * mmap.PAGESIZE >> 20
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20


class Row:
    """An environment and its place in the shared file."""

    def __init__(self, worker, number, env):
        settings = worker.settings
        self.settings, self.env, self.memory = settings, env, worker.memory
        self.observations, action = settings.observation, settings.action
        self.incoming, self.outgoing, following = (
            table["start"] + number * table["stride"]
            for table in (settings.incoming, settings.outgoing, settings.following)
        )
        self.stepped = RECORD.pack(number, STEPPED, 0)
        self.action = action.convert
        self.taken = self.view(self.incoming + INCOMING.size, action.dtype, (action.len,))
        shape, dtype = self.observations.shape, self.observations.dtype
        self.now = self.view(self.outgoing + OUTGOING.size, dtype, shape)
        self.next = self.view(following, dtype, shape)

    def view(self, offset, dtype, shape):
        return np.frombuffer(self.memory, dtype, int(np.prod(shape)), offset).reshape(shape)

    def seed(self):
        seed, there = INCOMING.unpack_from(self.memory, self.incoming)
        return seed if there else None

    def step(self):
        seen, reward, terminated, truncated, info = self.env.step(self.action(self.taken))
        self.observations.write(seen, self.now)
        flags = (TERMINATED if terminated else 0) | (TRUNCATED if truncated else 0)
        total, length = 0.0, 0
        if flags:
            episode = info.get("episode")
            if episode is not None:
                flags |= RECORDED
                total, length = float(np.asarray(episode["r"]).item()), int(np.asarray(episode["l"]).item())
            # The next episode begins at once, so that it costs no exchange of its own.
            seen, _ = self.env.reset(seed=self.seed())
            self.observations.write(seen, self.next)
        OUTGOING.pack_into(self.memory, self.outgoing, reward, flags, total, length)

    def act(self, command, payload):
        if command == RESET:
            seen, _ = self.env.reset(seed=self.seed())
            self.observations.write(seen, self.now)
        elif command == SAVE:
            return save(self.settings, self.env)
        elif command == RESTORE:
            self.env = restore(self.settings, self.env, payload)
        elif command == REPLAY:
            self.replay(payload)
        elif command == RENDER:
            return self.picture()
        return b""

    def replay(self, payload):
        """Resets with a seed and takes the actions of an episode again."""
        (seed,) = struct.unpack_from("<Q", payload)
        actions = np.frombuffer(payload, self.taken.dtype, offset=8).reshape(-1, len(self.taken))
        self.env.reset(seed=seed)
        for action in actions:
            self.env.step(self.action(action))

    def picture(self):
        frame = self.env.render()
        if frame is None:
            raise Refused("it gives no pictures: its render mode is not rgb_array")
        frame = np.ascontiguousarray(frame, np.uint8)
        if frame.ndim != 3 or frame.shape[2] != 3:
            raise Refused(f"its picture has the shape {frame.shape}, not [rows, columns, 3]")
        return struct.pack("<II", *frame.shape[:2]) + frame.tobytes()

    def close(self):
        try:
            self.env.close()
        except Exception:
            pass


main()
