// Where the inputs of LSTM, GRU or RNN come from, and what happens after a step.

// Elements of shared memory that a sequence forward needs; those of a rollout lie behind them.
STPN_FIXED gated_shared() {
    const int units = spec.tile * spec.hidden;
    return units * ((spec.kind == LSTM ? 2 : 1) + slot_count()) + 2 * spec.tile + spec.resident * gate_rows();
}

// Environments of this block.
STPN_DEVICE int environments_here(int batch) {
    const int left = batch - block_index() * spec.tile;
    return left < spec.tile ? left : spec.tile;
}

// What comes from the inputs has been computed before, for all steps at once.
struct GatedGiven {
    static constexpr bool plays = false;
    const GatedOperands& a;
    const int first, here;

    STPN_DEVICE explicit GatedGiven(const GatedOperands& a_)
        : a(a_), first(block_index() * spec.tile), here(environments_here(a_.batch)) {}
    STPN_DEVICE bool starts_at(int t, int e) const { return starts(a, t, first + e); }
    STPN_DEVICE void begin() const {}
    STPN_DEVICE void inputs(int t, int row, TileValues& to) const {
        STPN_UNROLL_ALWAYS
        for (int e = 0; e < spec.tile; ++e) to.set(e, e < here ? Real(a.gates[gate_at(a, t, first + e) + row]) : Real(0));
    }
};

// They come from mazes, which are moved after each step.
struct GatedMazes {
    static constexpr bool plays = true;
    const GatedRollout& rollout;
    Mazes mazes;
    Shared x;     // [tile, I]
    Shared h, c;  // state of the block, as the pass has it

    STPN_DEVICE GatedMazes(const GatedRollout& rollout_, Shared h_, Shared c_)
        : rollout(rollout_), mazes(rollout_.play, block_index() * spec.tile, environments_here(rollout_.play.batch),
                                   spec.tile, shared_memory() + gated_shared()),
          x(shared_memory() + gated_shared() + Mazes::shared_len(spec.tile)), h(h_), c(c_) {}

    STPN_DEVICE bool starts_at(int t, int e) const { return mazes.starts_at(t, e); }
    // To be followed by a barrier.
    STPN_DEVICE void begin() const {
        for (int at = thread_index(); at < mazes.here * spec.input; at += spec.threads)
            x[at] = rollout.x[(long long)mazes.first * spec.input + at];
    }
    STPN_DEVICE Real input_weight(int row, int input) const {
        return rollout.sequence.parameters[rollout.input + row * rollout.input_row + input * rollout.input_column];
    }
    STPN_DEVICE void inputs(int, int row, TileValues& to) const {
        STPN_UNROLL_ALWAYS
        for (int e = 0; e < spec.tile; ++e) to.set(e, 0);
        for (int input = 0; input < spec.input; ++input) {
            const Real weight = input_weight(row, input);
            STPN_UNROLL_ALWAYS
            for (int e = 0; e < spec.tile; ++e)
                if (e < mazes.here) to.set(e, fused(weight, x[e * spec.input + input], to.get(e)));
        }
        const Real bias = rollout.sequence.parameters[rollout.bias + row];
        STPN_UNROLL_ALWAYS
        for (int e = 0; e < spec.tile; ++e) to.set(e, to.get(e) + bias);
    }
    // Of every unit, with the activities before step t: all its gates together.
    STPN_DEVICE void measure(int t) const {
        const GatedOperands& a = rollout.sequence;
        for (int at = thread_index(); at < mazes.here * spec.hidden; at += spec.threads) {
            const int e = at / spec.hidden, unit = at % spec.hidden;
            if (!mazes.measures(t, e)) continue;
            Real energy = 0;
            for (int row = unit; row < gate_rows(); row += spec.hidden) {
                for (int input = 0; input < spec.input; ++input)
                    energy += magnitude(input_weight(row, input)) * mazes.square(input, x[e * spec.input + input]);
                for (int k = 0; k < spec.hidden; ++k) {
                    const Real weight = a.parameters[a.recurrent + row * a.recurrent_row + k * a.recurrent_column];
                    energy += magnitude(weight) * mazes.square(spec.input + k, h[k * spec.tile + e]);
                }
            }
            mazes.keep_energy(t, e, unit, energy);
        }
    }
    STPN_DEVICE void turn(int t, bool last) { mazes.turn(t, last, *this); }

    STPN_DEVICE Real activity(int e, int unit) const { return h[unit * spec.tile + e]; }
    STPN_DEVICE void see(int e, int input, Real value) const { x[e * spec.input + input] = value; }
    STPN_DEVICE void forget(int e, int unit) const {
        h[unit * spec.tile + e] = 0;
        if (spec.kind == LSTM) c[e * spec.hidden + unit] = 0;
    }
};
