// Parameters of differentiable plasticity and Backpropamine, and the change of one synapse.

enum Modulation { CONSTANT, NETWORK, RETROACTIVE };
enum Rule { HARD_CLAMP, SOFT_CLAMP, ADDITIVE, DECAY };

// Packed parameters: from inputs, bias, W, α, η (not for NETWORK), modulator's weights and bias (not for CONSTANT).
STPN_FIXED modulated_bias_at() { return spec.hidden * spec.input; }
STPN_FIXED recurrent_at() { return modulated_bias_at() + spec.hidden; }
STPN_FIXED alpha_at() { return recurrent_at() + spec.hidden * spec.hidden; }
STPN_FIXED eta_at() { return alpha_at() + spec.hidden * spec.hidden; }
STPN_FIXED modulator_at() { return eta_at() + (spec.modulation != NETWORK); }
STPN_FIXED modulator_bias_at() { return modulator_at() + spec.hidden; }
STPN_FIXED modulated_parameters() { return modulator_at() + (spec.modulation != CONSTANT ? spec.hidden + 1 : 0); }
STPN_FIXED matrices() { return spec.modulation == RETROACTIVE ? 2 : 1; }

// Index of a synapse from an input or a unit in the packed parameters.
STPN_DEVICE int modulated_weight_index(int row, int column) {
    return column < spec.input ? row * spec.input + column : recurrent_at() + row * spec.hidden + column - spec.input;
}

// W and α; α is 0 for synapses from inputs, which have no fast weights.
struct ModulatedTable {
    Global<const Real> parameters;
    OwnValues weights, alphas;

    STPN_DEVICE ModulatedTable(const Place& place, Global<const Real> parameters_) : parameters(parameters_) {
        if (spec.place == 0) fill(place);
    }

    STPN_DEVICE void fill(const Place& place) {
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                int m = i * own_columns() + k;
                bool has = place.has(i, k);
                weights.set(m, has ? read_weight(place.row(i), place.column(k)) : Real(0));
                alphas.set(m, has ? read_alpha(place.row(i), place.column(k)) : Real(0));
            }
        }
    }
    STPN_DEVICE Real weight(int m, int row, int column) const {
        return spec.place == 0 ? weights.get(m) : read_weight(row, column);
    }
    STPN_DEVICE Real alpha(int m, int row, int column) const {
        return spec.place == 0 ? alphas.get(m) : read_alpha(row, column);
    }
    STPN_DEVICE Real read_weight(int row, int column) const { return parameters[modulated_weight_index(row, column)]; }
    STPN_DEVICE Real read_alpha(int row, int column) const {
        return is_plastic(column) ? Real(parameters[alpha_at() + fast_index(row, column)]) : Real(0);
    }
    // Of use where the modulation has one.
    STPN_DEVICE Real eta() const { return spec.modulation != NETWORK ? Real(parameters[eta_at()]) : Real(0); }
};

// Where step t's rate m is recorded: in the first element of its row.
STPN_DEVICE long long rate_at(const Operands& a, int t, int env) { return unit_at(a, t, env, 0); }

STPN_DEVICE Real softened(Real fast, Real change) { return fused(-magnitude(change), fast, fast + change); }

STPN_DEVICE Real within(Real value) {
    // Not `min` and `max`: these would hide a NaN.
    const Real bound = spec.bound, below = value > bound ? bound : value;
    return below < -bound ? -bound : below;
}

// F after the change c = m times the Hebbian term or its trace.
STPN_DEVICE Real applied(Real fast, Real change, Real rate) {
    switch (spec.rule) {
        case HARD_CLAMP: return within(fast + change);
        case SOFT_CLAMP: return within(softened(fast, change));
        case ADDITIVE: return fast + change;
        default: return fused(-rate, fast, fast) + change;
    }
}

// Gradients of F, of c, and of what m gets directly, from that of F after the change.
struct Through {
    Real fast, change, rate;

    STPN_DEVICE Through(Real before, Real by, Real at_rate, Real outer) : fast(outer), change(outer), rate(0) {
        const Real bound = spec.bound;
        if (spec.rule == HARD_CLAMP && magnitude(before + by) > bound) fast = change = 0;
        if (spec.rule == SOFT_CLAMP) {
            const Real let_through = magnitude(softened(before, by)) > bound ? Real(0) : outer;
            fast = fused(-magnitude(by), let_through, let_through);
            change = fused(by < 0 ? before : -before, let_through, let_through);
        }
        if (spec.rule == DECAY) {
            fast = fused(-at_rate, outer, outer);
            rate = -(before * outer);
        }
    }
};

// The trace after a step.
STPN_DEVICE Real traced(Real eta, Real trace, Real hebbian) { return fused(eta, hebbian - trace, trace); }
