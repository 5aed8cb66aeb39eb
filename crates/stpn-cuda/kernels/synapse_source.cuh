// Where the inputs of a layer with fast weights come from, and what happens after a step.

// Elements of shared memory that a sequence forward needs; those of a rollout lie behind them.
STPN_FIXED forward_shared() {
    return 2 * width() + 2 * warps() + (spec.place == 1 ? padded() * (spec.modulation == 2 ? 2 : 1) : 0);
}

// |G| z² of a synapse of this block's environment, but for the norm of its row.
STPN_DEVICE Real power(const EnergyOperands& e, int t, int column, Real effective, Real value) {
    return measured_at(e, t, block_index()) ? magnitude(effective) * masked_square(e, column, value) : Real(0);
}

// Inputs and starts of episodes lie in memory, and activities go there.
struct Given {
    static constexpr bool plays = false, measures = false;
    const Operands& a;
    const int env;

    STPN_DEVICE explicit Given(const Operands& a_) : a(a_), env(block_index()) {}
    STPN_DEVICE bool starts_at(int t) const { return starts(a, t, env); }
    STPN_DEVICE void keep(int t, int row, Real activity) const { a.hidden[unit_at(a, t, env, row)] = activity; }
};

// Presynaptic elements of the first step; an encoder's are still to come.
template <class Source> STPN_DEVICE Real first_presynaptic(const Operands& a, const Source& source, int column) {
    if constexpr (Source::plays)
        if (source.play.encodes() && column < spec.input) return 0;
    return presynaptic(a, 0, block_index(), column);
}

// The same, and energy is measured.
struct Measured : Given {
    static constexpr bool measures = true;
    const EnergyOperands& energy;

    STPN_DEVICE explicit Measured(const SynapseMeasured& measured) : Given(measured.sequence), energy(measured.energy) {}
};

// They come from an environment, which is moved after each step.
template <class World> struct OnePlayed {
    static constexpr bool plays = true, measures = true;
    const Operands& a;
    const EnergyOperands& energy;
    Play<World> play;
    Shared hidden;  // [H]
    Shared z;       // presynaptic elements of the next step

    STPN_DEVICE explicit OnePlayed(const SynapseRollout<typename World::Operands>& rollout)
        : a(rollout.sequence), energy(rollout.play.energy),
          play(rollout.play, rollout.world, block_index(), 1, 1, shared_memory() + forward_shared()),
          hidden(shared_memory() + forward_shared() + Play<World>::shared_len(rollout.play, 1)), z(hidden) {}

    STPN_DEVICE bool starts_at(int t) const { return play.starts_at(t, 0); }
    STPN_DEVICE void begin(Shared now) {
        z = now;
        play.begin(a.x, *this);
    }
    STPN_DEVICE void keep(int t, int row, Real activity) const {
        hidden[row] = activity;
        if (a.hidden) a.hidden[unit_at(a, t, block_index(), row)] = activity;
    }
    STPN_DEVICE void turn(int t, bool last, Shared next) {
        z = next;
        play.turn(t, last, *this);
    }

    STPN_DEVICE Real activity(int, int unit) const { return hidden[unit]; }
    STPN_DEVICE void see(int, int input, Real value) const { z[input] = value; }
    STPN_DEVICE void forget(int, int unit) const {
        if (spec.recurrent) z[spec.input + unit] = 0;
    }
};
