// The maze on a device: the rules of `stpn_envs::maze`, over tables of walls and free cells that are made there. One thread
// of a block moves the agent; all of them write what it sees.

enum { MAZE_ACTIONS = 4, MAZE_OUTPUTS = MAZE_ACTIONS + 1 };

// What the other threads need to know of a maze, in shared memory: these, the outputs of the heads, the activities.
enum { SEEN_ROW, SEEN_COLUMN, SEEN_TIME, SEEN_REWARD, SEEN_ACTION, SEEN_START, SEEN_LEN };

// Numbers of an environment's own stream that were drawn before the rollout.
struct Draws {
    Global<const unsigned long long> words;
    int left;
    bool exhausted;

    STPN_DEVICE Draws(Global<const unsigned long long> words_, int len) : words(words_), left(len), exhausted(false) {}
    STPN_DEVICE unsigned long long next() {
        if (left == 0) {
            exhausted = true;
            return ~0ull;
        }
        const unsigned long long word = words[0];
        words = words + 1;
        --left;
        return word;
    }
    // Uniform in 0..bound, the same from the same words as `Stream::below`.
    STPN_DEVICE int below(int bound) {
        const unsigned long long most = bound, threshold = (0 - most) % most;
        unsigned long long word = next();
        while (word * most < threshold && !exhausted) word = next();
        return int(multiply_high(word, most));
    }
};

// The environment of a block as the source of a sequence's inputs.
struct Maze {
    static constexpr bool plays = true;
    const PlayOperands& p;
    const int env, steps;
    Shared seen, outputs, hidden;
    int row, column, goal, step;
    Draws draws;

    STPN_DEVICE explicit Maze(const PlayOperands& p_)
        : p(p_), env(block_index()), steps(p_.sequence.steps), seen(shared_memory() + forward_shared()),
          outputs(seen + SEEN_LEN), hidden(outputs + MAZE_OUTPUTS), row(p.mazes[3 * env] / p.size),
          column(p.mazes[3 * env] % p.size), goal(p.mazes[3 * env + 1]), step(p.mazes[3 * env + 2]),
          draws(p.draws + (long long)env * p.draws_len, p.draws_len) {}

    STPN_DEVICE bool starts_at(int t) const {
        return t ? Real(seen[SEEN_START]) != 0 : starts(p.sequence, 0, env);
    }
    STPN_DEVICE void keep(int t, int at, Real activity) const {
        hidden[at] = activity;
        if (p.sequence.hidden) p.sequence.hidden[unit_at(p.sequence, t, env, at)] = activity;
    }

    STPN_DEVICE bool measures(int t) const {
        return p.energy && env < p.energy_batch && t >= p.energy_first && (t - p.energy_first) % p.energy_every == 0;
    }
    // |G| z² of a synapse, but for the norm of its row.
    STPN_DEVICE Real power(int t, int at, Real effective, Real z) const {
        if (!measures(t)) return 0;
        if (p.energy_mask && at < spec.input) z *= p.energy_mask[at];
        return magnitude(effective) * z * z;
    }
    STPN_DEVICE void keep_energy(int t, int at, Real energy) const {
        if (!measures(t)) return;
        const long long sample = (t - p.energy_first) / p.energy_every;
        p.energy[(sample * p.energy_batch + env) * spec.hidden + at] = energy;
    }

    // After step t: heads, action, move. Writes the inputs of the next step, or what follows the last.
    STPN_DEVICE void turn(int t, bool last, Shared z) {
        const int thread = thread_index(), lane = thread % 32;
        const long long at = (long long)env * steps + t;
        for (int first = 0; first < MAZE_OUTPUTS; first += warps()) {
            const int output = first + thread / 32;
            Real sum = 0;
            if (output < MAZE_OUTPUTS)
                for (int unit = lane; unit < spec.hidden; unit += 32)
                    sum = fused(p.heads[output * spec.hidden + unit], hidden[unit], sum);
            sum = warp_sum(sum);
            if (output >= MAZE_OUTPUTS || lane) continue;
            sum += p.heads[MAZE_OUTPUTS * spec.hidden + output];
            outputs[output] = sum;
            p.outputs[at * MAZE_OUTPUTS + output] = sum;
        }
        barrier(70);
        if (thread == 0) move(at, act(at));
        barrier(71);
        for (int input = thread; input < spec.input; input += spec.threads) {
            const Real value = observed(input);
            if (last) {
                p.next[(long long)env * spec.input + input] = value;
                continue;
            }
            z[input] = value;
            if (p.observed) p.observed[((long long)(t + 1) * p.sequence.batch + env) * spec.input + input] = value;
        }
        if (p.started && !last && thread == 0)
            p.started[(long long)(t + 1) * p.sequence.batch + env] = starts_at(t + 1) ? 1 : 0;
        if (spec.recurrent && !last && starts_at(t + 1))
            for (int unit = thread; unit < spec.hidden; unit += spec.threads) z[spec.input + unit] = 0;
        barrier(72);
    }

    // Draws the action from the softmax of the logits.
    STPN_DEVICE int act(long long at) const {
        double weights[MAZE_ACTIONS], largest = Real(outputs[0]), total = 0;
        for (int i = 1; i < MAZE_ACTIONS; ++i) {
            const double logit = Real(outputs[i]);
            if (logit > largest) largest = logit;
        }
        for (int i = 0; i < MAZE_ACTIONS; ++i) {
            weights[i] = double_exponential(Real(outputs[i]) - largest);
            total += weights[i];
        }
        double left = p.uniform[at] * total;
        int action = 0;
        // Rounding may leave a residue after the last choice, which then takes it.
        for (; action < MAZE_ACTIONS - 1; ++action) {
            left -= weights[action];
            if (left < 0) break;
        }
        p.log_probs[at] = Real(Real(outputs[action]) - (largest + double_logarithm(total)));
        return action;
    }

    STPN_DEVICE void move(long long at, int action) {
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
        const bool ended = ++step == p.episode_length;
        if (ended) {
            row = column = p.size / 2;
            goal = draws.below(p.free_len);
            step = 0;
        }
        p.actions[at] = draws.exhausted ? unsigned(MAZE_ACTIONS) : unsigned(action);
        seen[SEEN_ROW] = Real(row);
        seen[SEEN_COLUMN] = Real(column);
        seen[SEEN_TIME] = Real(step) / Real(p.episode_length);
        seen[SEEN_REWARD] = ended ? Real(0) : Real(reward);
        seen[SEEN_ACTION] = ended ? Real(0) : Real(action);
        seen[SEEN_START] = ended ? Real(1) : Real(0);
    }

    // Element of the observation after a move.
    STPN_DEVICE Real observed(int at) const {
        const int side = 2 * p.view_radius + 1, rest = at - side * side;
        if (rest < 0) {
            const int seen_row = int(Real(seen[SEEN_ROW])) + at / side - p.view_radius;
            const int seen_column = int(Real(seen[SEEN_COLUMN])) + at % side - p.view_radius;
            if (seen_row < 0 || seen_column < 0 || seen_row >= p.size || seen_column >= p.size) return 1;
            return Real(p.walls[seen_row * p.size + seen_column]);
        }
        if (rest < 2) return Real(rest);
        if (rest == 2) return seen[SEEN_TIME];
        if (rest == 3) return seen[SEEN_REWARD];
        return rest - 4 == int(Real(seen[SEEN_ACTION])) ? Real(1) : Real(0);
    }
};

// A rollout: every environment with its network, from the first step to the last.
STPN_FORWARD_KERNEL maze_rollout(PlayOperands p) {
    Maze source(p);
    plastic_sequence(p.sequence, source);
}
