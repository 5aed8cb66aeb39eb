// The maze on a device: the rules of `stpn_envs::maze`, over tables of walls and free cells that are made there. One
// thread moves the agent of an environment; all threads of the block write what it sees.

enum { MAZE_ACTIONS = 4, MAZE_OUTPUTS = MAZE_ACTIONS + 1 };

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

// The environments of a block. Each belongs to one thread, which moves its agent: environment number 0 to the first
// one.
struct Mazes {
    const PlayOperands& p;
    const int first, here;  // those of the block
    Shared seen, outputs;   // [places, SEEN_LEN], [places, outputs]

    // `memory` has room for so many environments; a block may have fewer.
    STPN_DEVICE Mazes(const PlayOperands& p_, int first_, int here_, int places, Shared memory)
        : p(p_), first(first_), here(here_), seen(memory), outputs(memory + places * SEEN_LEN) {
        if (thread_index() >= here) return;
        const Shared state = own_state();
        state[SEEN_ROW] = Real(p.mazes[3 * own()] / p.size);
        state[SEEN_COLUMN] = Real(p.mazes[3 * own()] % p.size);
        state[GOAL] = Real(p.mazes[3 * own() + 1]);
        state[STEP] = Real(p.mazes[3 * own() + 2]);
        state[DRAWN] = 0;
    }

    // The environment of this thread, if it has one.
    STPN_DEVICE int own() const { return first + thread_index(); }
    STPN_DEVICE Shared own_state() const { return seen + thread_index() * SEEN_LEN; }
    STPN_DEVICE static int shared_len(int places) { return places * (SEEN_LEN + MAZE_OUTPUTS); }

    STPN_DEVICE bool starts_at(int t, int e) const {
        return t ? Real(seen[e * SEEN_LEN + SEEN_START]) != 0 : p.resets[first + e] != 0;
    }

    // After step t: heads, actions, moves. `network` has the activities, and takes what is seen next.
    template <class Network> STPN_DEVICE void turn(int t, bool last, const Network& network) const {
        const int thread = thread_index(), lane = thread % 32;
        for (int from = 0; from < here * MAZE_OUTPUTS; from += warps()) {
            const int at = from + thread / 32, e = at / MAZE_OUTPUTS, output = at % MAZE_OUTPUTS;
            Real sum = 0;
            if (e < here)
                for (int unit = lane; unit < spec.hidden; unit += 32)
                    sum = fused(p.heads[output * spec.hidden + unit], network.activity(e, unit), sum);
            sum = warp_sum(sum);
            if (e >= here || lane) continue;
            sum += p.heads[MAZE_OUTPUTS * spec.hidden + output];
            outputs[at] = sum;
            p.outputs[((long long)(first + e) * p.steps + t) * MAZE_OUTPUTS + output] = sum;
        }
        barrier(70);
        if (thread < here) {
            const long long at = (long long)own() * p.steps + t;
            move(at, act(at));
        }
        barrier(71);
        for (int at = thread; at < here * spec.input; at += spec.threads) {
            const int e = at / spec.input, input = at % spec.input, env = first + e;
            const Real value = observed(e, input);
            if (last) {
                p.next[(long long)env * spec.input + input] = value;
                continue;
            }
            network.see(e, input, value);
            if (p.observed) p.observed[((long long)(t + 1) * p.batch + env) * spec.input + input] = value;
        }
        if (!last) {
            if (p.started && thread < here)
                p.started[(long long)(t + 1) * p.batch + own()] = starts_at(t + 1, thread) ? 1 : 0;
            for (int at = thread; at < here * spec.hidden; at += spec.threads)
                if (starts_at(t + 1, at / spec.hidden)) network.forget(at / spec.hidden, at % spec.hidden);
        }
        barrier(72);
    }

    // Draws the action from the softmax of the logits.
    STPN_DEVICE int act(long long at) const {
        const Shared logits = outputs + thread_index() * MAZE_OUTPUTS;
        double weights[MAZE_ACTIONS], largest = Real(logits[0]), total = 0;
        for (int i = 1; i < MAZE_ACTIONS; ++i) {
            const double logit = Real(logits[i]);
            if (logit > largest) largest = logit;
        }
        for (int i = 0; i < MAZE_ACTIONS; ++i) {
            weights[i] = double_exponential(Real(logits[i]) - largest);
            total += weights[i];
        }
        double left = p.uniform[at] * total;
        int action = 0;
        // Rounding may leave a residue after the last choice, which then takes it.
        for (; action < MAZE_ACTIONS - 1; ++action) {
            left -= weights[action];
            if (left < 0) break;
        }
        p.log_probs[at] = Real(Real(logits[action]) - (largest + double_logarithm(total)));
        return action;
    }

    STPN_DEVICE void move(long long at, int action) const {
        const Shared state = own_state();
        int row = int(Real(state[SEEN_ROW])), column = int(Real(state[SEEN_COLUMN])), goal = int(Real(state[GOAL]));
        Draws draws(p.draws + (long long)own() * p.draws_len, p.draws_len, int(Real(state[DRAWN])));
        const int to_row = row + (action == 1) - (action == 0), to_column = column + (action == 3) - (action == 2);
        double reward = 0;
        if (p.walls[to_row * p.size + to_column])
            reward -= p.wall_penalty;
        else
            row = to_row, column = to_column;
        if (p.free_cells[goal] == row * p.size + column) {
            reward += p.reward;
            const int drawn = draws.below(p.free_len - 1);
            const int cell = p.free_cells[drawn < goal ? drawn : drawn + 1];
            row = cell / p.size, column = cell % p.size;
        }
        p.rewards[at] = Real(reward);
        int step = int(Real(state[STEP])) + 1;
        const bool ended = step == p.episode_length;
        if (ended) {
            row = column = p.size / 2;
            goal = draws.below(p.free_len);
            step = 0;
        }
        p.actions[at] = draws.exhausted ? unsigned(MAZE_ACTIONS) : unsigned(action);
        state[SEEN_ROW] = Real(row);
        state[SEEN_COLUMN] = Real(column);
        state[SEEN_TIME] = Real(step) / Real(p.episode_length);
        state[SEEN_REWARD] = ended ? Real(0) : Real(reward);
        state[SEEN_ACTION] = ended ? Real(0) : Real(action);
        state[SEEN_START] = ended ? Real(1) : Real(0);
        state[GOAL] = Real(goal);
        state[STEP] = Real(step);
        state[DRAWN] = Real(draws.drawn);
    }

    // Element of what is seen of an environment after its move.
    STPN_DEVICE Real observed(int e, int at) const {
        const Shared of = seen + e * SEEN_LEN;
        const int side = 2 * p.view_radius + 1, rest = at - side * side;
        if (rest < 0) {
            const int seen_row = int(Real(of[SEEN_ROW])) + at / side - p.view_radius;
            const int seen_column = int(Real(of[SEEN_COLUMN])) + at % side - p.view_radius;
            if (seen_row < 0 || seen_column < 0 || seen_row >= p.size || seen_column >= p.size) return 1;
            return Real(p.walls[seen_row * p.size + seen_column]);
        }
        if (rest < 2) return Real(rest);
        if (rest == 2) return of[SEEN_TIME];
        if (rest == 3) return of[SEEN_REWARD];
        return rest - 4 == int(Real(of[SEEN_ACTION])) ? Real(1) : Real(0);
    }
};
