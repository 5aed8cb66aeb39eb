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

STPN_DEVICE Real input_weight(const GatedOperands& a, const GatedInputs& inputs, int row, int input) {
    return a.parameters[inputs.first + row * inputs.by_row + input * inputs.by_column];
}

// Measures the energy of all units of a block.
struct GatedMeter {
    const GatedOperands& a;
    const GatedInputs& inputs;
    const EnergyOperands& energy;
    const int first, here;
    Shared h;  // activities before a step

    // Of step t: all gates of a unit together. `source` has the inputs.
    template <class Source> STPN_DEVICE void measure(int t, const Source& source) const {
        for (int at = thread_index(); at < here * spec.hidden; at += spec.threads) {
            const int e = at / spec.hidden, unit = at % spec.hidden;
            if (!measured_at(energy, t, first + e)) continue;
            Real sum = 0;
            for (int row = unit; row < gate_rows(); row += spec.hidden) {
                for (int input = 0; input < spec.input; ++input)
                    sum += magnitude(input_weight(a, inputs, row, input)) *
                           masked_square(energy, input, source.input(t, e, input));
                for (int k = 0; k < spec.hidden; ++k) {
                    const Real weight = a.parameters[a.recurrent + row * a.recurrent_row + k * a.recurrent_column];
                    sum += magnitude(weight) * masked_square(energy, spec.input + k, h[k * spec.tile + e]);
                }
            }
            keep_energy(energy, t, first + e, unit, sum);
        }
    }
};

// What comes from the inputs has been computed before, for all steps at once.
struct GatedGiven {
    static constexpr bool plays = false, measures = false;
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

// The same, and energy is measured.
struct GatedGivenMeasured : GatedGiven {
    static constexpr bool measures = true;
    const GatedMeasured& measured;
    Shared h;

    STPN_DEVICE GatedGivenMeasured(const GatedMeasured& measured_, Shared h_)
        : GatedGiven(measured_.sequence), measured(measured_), h(h_) {}
    STPN_DEVICE Real input(int t, int e, int input) const {
        return measured.inputs.x[((long long)t * a.batch + first + e) * spec.input + input];
    }
    STPN_DEVICE void measure(int t) const {
        GatedMeter{a, measured.inputs, measured.energy, first, here, h}.measure(t, *this);
    }
};

// They come from environments, which are moved after each step.
template <class World> struct GatedPlayed {
    static constexpr bool plays = true, measures = true;
    const GatedRollout<typename World::Operands>& rollout;
    Play<World> play;
    Shared x;     // [tile, I]
    Shared h, c;  // state of the block, as the pass has it

    STPN_DEVICE GatedPlayed(const GatedRollout<typename World::Operands>& rollout_, Shared h_, Shared c_)
        : rollout(rollout_),
          play(rollout_.play, rollout_.world, block_index() * spec.tile, environments_here(rollout_.play.batch),
               spec.tile, shared_memory() + gated_shared()),
          x(shared_memory() + gated_shared() + Play<World>::shared_len(rollout_.play, spec.tile)), h(h_), c(c_) {}

    STPN_DEVICE bool starts_at(int t, int e) const { return play.starts_at(t, e); }
    // To be followed by a barrier.
    STPN_DEVICE void begin() const {
        play.begin(rollout.inputs.x, *this);
        if (play.encodes()) return;
        for (int at = thread_index(); at < play.here * spec.input; at += spec.threads)
            x[at] = rollout.inputs.x[(long long)play.first * spec.input + at];
    }
    STPN_DEVICE void inputs(int, int row, TileValues& to) const {
        STPN_UNROLL_ALWAYS
        for (int e = 0; e < spec.tile; ++e) to.set(e, 0);
        for (int input = 0; input < spec.input; ++input) {
            const Real weight = input_weight(rollout.sequence, rollout.inputs, row, input);
            STPN_UNROLL_ALWAYS
            for (int e = 0; e < spec.tile; ++e)
                if (e < play.here) to.set(e, fused(weight, x[e * spec.input + input], to.get(e)));
        }
        const Real bias = rollout.sequence.parameters[rollout.bias + row];
        STPN_UNROLL_ALWAYS
        for (int e = 0; e < spec.tile; ++e) to.set(e, to.get(e) + bias);
    }
    STPN_DEVICE Real input(int, int e, int input) const { return x[e * spec.input + input]; }
    STPN_DEVICE void measure(int t) const {
        GatedMeter{rollout.sequence, rollout.inputs, rollout.play.energy, play.first, play.here, h}.measure(t, *this);
    }
    STPN_DEVICE void turn(int t, bool last) { play.turn(t, last, *this); }

    STPN_DEVICE Real activity(int e, int unit) const { return h[unit * spec.tile + e]; }
    STPN_DEVICE void see(int e, int input, Real value) const { x[e * spec.input + input] = value; }
    STPN_DEVICE void forget(int e, int unit) const {
        h[unit * spec.tile + e] = 0;
        if (spec.kind == LSTM) c[e * spec.hidden + unit] = 0;
    }
};
