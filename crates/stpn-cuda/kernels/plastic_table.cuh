// Parameters of the STPN family as its passes want them, and the update of one synapse.

// Added to every norm, so that a row of zeros divides to zero.
#define STPN_NORM_EPSILON 1e-16

STPN_DEVICE Real inverse_norm(Real square) { return Real(1) / (root(square) + Real(STPN_NORM_EPSILON)); }

// 1/n in derivatives of n: zero where the norm is zero, as its subgradient.
STPN_DEVICE Real norm_slope(Real inverse) { return inverse < Real(0.5 / STPN_NORM_EPSILON) ? inverse : Real(0); }

STPN_DEVICE Real activation(Real value) { return spec.logistic ? logistic(value) : tangent(value); }

STPN_DEVICE Real activation_slope(Real h) { return spec.logistic ? logistic_slope(h) : tangent_slope(h); }

STPN_DEVICE int rate_index(int row, int column) {
    return spec.granularity == 0   ? fast_index(row, column)
           : spec.granularity == 1 ? column - spec.plastic_first
                                   : 0;
}

STPN_DEVICE Real raw_lambda(Global<const Real> parameters, int row, int column) {
    return parameters[lambda_at() + rate_index(row, column)];
}

STPN_DEVICE Real raw_gamma(Global<const Real> parameters, int row, int column) {
    return parameters[gamma_at() + rate_index(row, column)];
}

// W, and those λ and γ with which F' = λ F̂ + γ h z holds for all options. Read once, or again and again if there are
// too many for registers.
struct Table {
    Global<const Real> parameters;
    OwnValues weights, lambdas, gammas;

    STPN_DEVICE Table(const Place& place, Global<const Real> parameters_) : parameters(parameters_) {
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
                lambdas.set(m, has ? read_lambda(place.row(i), place.column(k)) : Real(0));
                gammas.set(m, has ? read_gamma(place.row(i), place.column(k)) : Real(0));
            }
        }
    }

    STPN_DEVICE Real weight(int m, int row, int column) const {
        return spec.place == 0 ? weights.get(m) : read_weight(row, column);
    }
    STPN_DEVICE Real lambda(int m, int row, int column) const {
        return spec.place == 0 ? lambdas.get(m) : read_lambda(row, column);
    }
    STPN_DEVICE Real gamma(int m, int row, int column) const {
        return spec.place == 0 ? gammas.get(m) : read_gamma(row, column);
    }

    STPN_DEVICE Real read_weight(int row, int column) const { return parameters[row * width() + column]; }
    STPN_DEVICE Real read_lambda(int row, int column) const {
        if (!is_plastic(column)) return 0;
        Real lambda = raw_lambda(parameters, row, column);
        return spec.logistic ? logistic(lambda) : lambda;
    }
    STPN_DEVICE Real read_gamma(int row, int column) const {
        if (!is_plastic(column)) return 0;
        Real gamma = raw_gamma(parameters, row, column);
        if (spec.logistic) return -exponential(gamma);
        return spec.decay_all ? raw_lambda(parameters, row, column) * gamma : gamma;
    }

    // Gradients of the parameters λ and γ of a synapse from those of its λ and γ above.
    STPN_DEVICE Real lambda_gradient(int row, int column, Real to_lambda, Real to_gamma) const {
        if (spec.logistic) {
            Real lambda = read_lambda(row, column);
            return to_lambda * lambda * (Real(1) - lambda);
        }
        return spec.decay_all ? fused(to_gamma, raw_gamma(parameters, row, column), to_lambda) : to_lambda;
    }
    STPN_DEVICE Real gamma_gradient(int row, int column, Real to_gamma) const {
        if (spec.logistic) return to_gamma * read_gamma(row, column);
        return spec.decay_all ? to_gamma * raw_lambda(parameters, row, column) : to_gamma;
    }

    STPN_DEVICE Real of_row(int at, int row) const { return parameters[at + row]; }
    STPN_DEVICE Real bias_rate(int at, int row) const { return parameters[at + (spec.granularity == 0 ? row : 0)]; }
};

// A synapse after the update, before the clamp. The same operations wherever it is computed, so that the backward pass
// finds the same values clamped.
STPN_DEVICE Real changed(Real lambda, Real gamma, Real scale, Real fast, Real h, Real z) {
    return fused(lambda, scale * fast, gamma * (h * z));
}

STPN_DEVICE bool inside(Real value) { return !spec.clamped || magnitude(value) <= Real(spec.bound); }

STPN_DEVICE Real limited(Real value) {
    if (!spec.clamped) return value;
    // Not `min` and `max`: these would hide a NaN.
    const Real bound = spec.bound, below = value > bound ? bound : value;
    return below < -bound ? -bound : below;
}

// What the forward pass records of a step for each row, for the backward pass.
enum Field { PRODUCT, INVERSE, RATIO, SCALE, SCALE_AFTER, BIAS_STATE, NORMAL, DEVIATION };

// Place of a field in the record, or fields in all; only fields in use have a place of their own.
STPN_FIXED field_place(int field) {
    int place = 0;
    if (field == PRODUCT) return place;
    place += spec.normalize_forward;
    if (field == INVERSE) return place;
    place += spec.normalize_forward;
    if (field == RATIO) return place;
    place += spec.normalize_state == 1;
    if (field == SCALE) return place;
    place += spec.normalize_state == 2;
    if (field == SCALE_AFTER) return place;
    place += spec.normalize_state == 2;
    if (field == BIAS_STATE) return place;
    place += spec.plastic_bias;
    if (field == NORMAL) return place;
    place += spec.layer_norm;
    if (field == DEVIATION) return place;
    return place + spec.layer_norm;
}
STPN_FIXED fields() { return field_place(DEVIATION + 1); }

STPN_DEVICE long long record_at(const Operands& a, int t, int env, int field, int row) {
    return (((long long)t * a.batch + env) * fields() + field_place(field)) * spec.hidden + row;
}
