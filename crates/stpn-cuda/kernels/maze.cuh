// The maze on a device: the rules of `stpn_envs::maze`, over tables of walls and free cells that are made there.

enum { MAZE_ACTIONS = 4 };

// Of each maze in shared memory: first what all threads read, then what only the thread that moves its agent reads. The
// latter is not in registers, because all threads would then reserve them.
enum { SEEN_ROW, SEEN_COLUMN, SEEN_TIME, SEEN_REWARD, SEEN_ACTION, SEEN_START, GOAL, STEP, DRAWN, SEEN_LEN };

// Numbers of an environment's own stream that were drawn before the rollout.
struct Draws {
    Global<const unsigned long long> words;
    int len, drawn;
    bool exhausted;

    STPN_DEVICE Draws(Global<const unsigned long long> words_, int len_, int drawn_)
        : words(words_), len(len_), drawn(drawn_), exhausted(false) {}
    STPN_DEVICE unsigned long long next() {
        if (drawn == len) {
            exhausted = true;
            return ~0ull;
        }
        return words[drawn++];
    }
    // Uniform in 0..bound, the same from the same words as `Stream::below`.
    STPN_DEVICE int below(int bound) {
        const unsigned long long most = bound, threshold = (0 - most) % most;
        unsigned long long word = next();
        while (word * most < threshold && !exhausted) word = next();
        return int(multiply_high(word, most));
    }
};

// The mazes of a block. Each belongs to one thread, which moves its agent: number 0 to the first one.
struct Mazes {
    typedef MazeOperands Operands;
    static constexpr int OWN = SEEN_LEN, CHOICES = MAZE_ACTIONS;
    const PlayOperands& p;
    const MazeOperands& m;
    const int first;
    const Shared seen;  // [here, SEEN_LEN]

    STPN_DEVICE Mazes(const PlayOperands& p_, const MazeOperands& m_, int first_, int here, Shared memory)
        : p(p_), m(m_), first(first_), seen(memory) {
        if (thread_index() >= here) return;
        const Shared state = own_state();
        state[SEEN_ROW] = Real(m.mazes[3 * own()] / m.size);
        state[SEEN_COLUMN] = Real(m.mazes[3 * own()] % m.size);
        state[GOAL] = Real(m.mazes[3 * own() + 1]);
        state[STEP] = Real(m.mazes[3 * own() + 2]);
        state[DRAWN] = 0;
    }

    STPN_DEVICE static int choices(const PlayOperands&) { return CHOICES; }

    // The environment of this thread, if it has one.
    STPN_DEVICE int own() const { return first + thread_index(); }
    STPN_DEVICE Shared own_state() const { return seen + thread_index() * SEEN_LEN; }

    // As the last move left it.
    STPN_DEVICE bool starts_at(int, int e) const { return Real(seen[e * SEEN_LEN + SEEN_START]) != 0; }

    // False if more numbers are needed than were drawn.
    STPN_DEVICE bool move(int t, int action, Global<unsigned int>) const {
        const Shared state = own_state();
        int row = int(Real(state[SEEN_ROW])), column = int(Real(state[SEEN_COLUMN])), goal = int(Real(state[GOAL]));
        Draws draws(m.draws + (long long)own() * m.draws_len, m.draws_len, int(Real(state[DRAWN])));
        const int to_row = row + (action == 1) - (action == 0), to_column = column + (action == 3) - (action == 2);
        double reward = 0;
        if (m.walls[to_row * m.size + to_column])
            reward -= m.wall_penalty;
        else
            row = to_row, column = to_column;
        if (m.free_cells[goal] == row * m.size + column) {
            reward += m.reward;
            const int drawn = draws.below(m.free_len - 1);
            const int cell = m.free_cells[drawn < goal ? drawn : drawn + 1];
            row = cell / m.size, column = cell % m.size;
        }
        m.rewards[(long long)own() * p.steps + t] = Real(reward);
        int step = int(Real(state[STEP])) + 1;
        const bool ended = step == m.episode_length;
        if (ended) {
            row = column = m.size / 2;
            goal = draws.below(m.free_len);
            step = 0;
        }
        state[SEEN_ROW] = Real(row);
        state[SEEN_COLUMN] = Real(column);
        state[SEEN_TIME] = Real(step) / Real(m.episode_length);
        state[SEEN_REWARD] = ended ? Real(0) : Real(reward);
        state[SEEN_ACTION] = ended ? Real(0) : Real(action);
        state[SEEN_START] = ended ? Real(1) : Real(0);
        state[GOAL] = Real(goal);
        state[STEP] = Real(step);
        state[DRAWN] = Real(draws.drawn);
        return !draws.exhausted;
    }

    // Element of what is seen of an environment after its move.
    STPN_DEVICE Real observed(int, int e, int at) const {
        const Shared of = seen + e * SEEN_LEN;
        const int side = 2 * m.view_radius + 1, rest = at - side * side;
        if (rest < 0) {
            const int seen_row = int(Real(of[SEEN_ROW])) + at / side - m.view_radius;
            const int seen_column = int(Real(of[SEEN_COLUMN])) + at % side - m.view_radius;
            if (seen_row < 0 || seen_column < 0 || seen_row >= m.size || seen_column >= m.size) return 1;
            return Real(m.walls[seen_row * m.size + seen_column]);
        }
        if (rest < 2) return Real(rest);
        if (rest == 2) return of[SEEN_TIME];
        if (rest == 3) return of[SEEN_REWARD];
        return rest - 4 == int(Real(of[SEEN_ACTION])) ? Real(1) : Real(0);
    }
};
