// A sequence of the STPN family forward: one block for each environment. Where a step's inputs come from, and what
// happens after it, is the affair of `Source`.

// Mean and 1/deviation over the units, of `values` that threads have for their rows.
STPN_DEVICE void moments(const Place& place, const RowValues& values, Shared parts, Real& mean, Real& deviation) {
    Real own_sum = 0;
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) own_sum += place.speaks(i) ? values.get(i) : Real(0);
    mean = block_sum(own_sum, parts, 1) / Real(spec.hidden);
    own_sum = 0;
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) {
        Real centred = values.get(i) - mean;
        own_sum += place.speaks(i) ? centred * centred : Real(0);
    }
    Real variance = block_sum(own_sum, parts + warps(), 2) / Real(spec.hidden);
    deviation = Real(1) / root(variance + Real(STPN_VARIANCE_EPSILON));
}

template <class Source> STPN_DEVICE void plastic_sequence(const Operands& a, Source& source) {
    const int env = block_index(), size = width();
    const Place place;
    Shared z_buffers = shared_memory();               // [2, D]
    Shared parts = z_buffers + 2 * size;               // [2, warps]
    Store fast(parts + 2 * warps(), a.scratch + (spec.place == 2 ? env * a.scratch_len : 0));  // Φ; the state is scale Φ
    const Table table(place, a.parameters);
    RowValues scale, bias_state, ratio, h;

    Global<const Real> start = a.start + (long long)env * state_len();
    const bool fresh = source.starts_at(0);
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) {
        const int row = place.row(i);
        scale.set(i, 1);
        h.set(i, 0);
        bias_state.set(i, spec.plastic_bias && place.has_row(i) && !fresh ? Real(start[after_fast_at() + row]) : Real(0));
        STPN_UNROLL_COLUMNS
        for (int k = 0; k < own_columns(); ++k) {
            const int column = place.column(k);
            const bool given = place.has(i, k) && is_plastic(column) && !fresh;
            fast.set(i * own_columns() + k, given ? Real(start[fast_at() + fast_index(row, column)]) : Real(0));
        }
    }
    for (int column = place.thread; column < size; column += spec.threads)
        z_buffers[column] = first_presynaptic(a, source, column);
    barrier(3);
    if constexpr (Source::plays) source.begin(z_buffers);

    for (int t = 0; t < a.steps; ++t) {
        Shared z = z_buffers + (t & 1) * size;
        Shared next = z_buffers + (~t & 1) * size;
        const bool last = t + 1 == a.steps;
        const bool next_starts = !Source::plays && !last && source.starts_at(t + 1);
        if (t && source.starts_at(t)) {
            STPN_UNROLL_COLUMNS
            for (int m = 0; m < own(); ++m) fast.set(m, 0);
            STPN_UNROLL
            for (int i = 0; i < own_rows(); ++i) {
                scale.set(i, 1);
                bias_state.set(i, 0);
            }
        }
        if (a.checkpoints && t % a.every == 0) {
            STPN_UNROLL_COLUMNS
            for (int m = 0; m < own(); ++m) a.checkpoints[checkpoint_at(a, t, env, 0, 1, m)] = fast.get(m);
        }
        if (!Source::plays && !last)
            for (int column = place.thread; column < spec.input; column += spec.threads)
                next[column] = input_at(a, t + 1, env, column);

        // The pre-activations, in the place of h.
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            const int row = place.row(i);
            const Real s = scale.get(i);
            Real product = 0, square = 0, energy = 0;
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                if (!place.computes(i, k)) continue;
                const int m = i * own_columns() + k, column = place.column(k);
                const Real effective = fused(s, fast.get(m), table.weight(m, row, column));
                product = fused(effective, z[column], product);
                square = fused(effective, effective, square);
                if constexpr (Source::measures) energy += power(source.energy, t, column, effective, z[column]);
            }
            product = row_sum(product);
            const bool normed = spec.normalize_forward || spec.normalize_state == 1;
            const Real inverse = normed ? inverse_norm(row_sum(square)) : Real(1);
            if (spec.normalize_forward) product *= inverse;
            if constexpr (Source::measures) {
                energy = row_sum(energy);
                if (spec.normalize_forward) energy *= inverse;
                if (place.speaks(i)) keep_energy(source.energy, t, env, row, energy);
            }
            ratio.set(i, spec.normalize_state == 1 ? inverse : Real(1));
            Real pre = product;
            if (place.has_row(i) && spec.bias) pre += table.of_row(bias_at(), row);
            if (spec.plastic_bias) pre += bias_state.get(i);
            h.set(i, pre);
            if (a.records && place.speaks(i)) {
                if (spec.normalize_forward) {
                    a.records[record_at(a, t, env, PRODUCT, row)] = product;
                    a.records[record_at(a, t, env, INVERSE, row)] = inverse;
                }
                if (spec.normalize_state == 1) a.records[record_at(a, t, env, RATIO, row)] = inverse;
                if (spec.normalize_state == 2) a.records[record_at(a, t, env, SCALE, row)] = s;
                if (spec.plastic_bias) a.records[record_at(a, t, env, BIAS_STATE, row)] = bias_state.get(i);
            }
        }
        if (spec.layer_norm) {
            Real mean, deviation;
            moments(place, h, parts, mean, deviation);
            STPN_UNROLL
            for (int i = 0; i < own_rows(); ++i) {
                if (!place.has_row(i)) continue;
                const int row = place.row(i);
                const Real normal = (h.get(i) - mean) * deviation;
                h.set(i, fused(normal, table.of_row(gain_at(), row), table.of_row(offset_at(), row)));
                if (a.records && place.speaks(i)) {
                    a.records[record_at(a, t, env, NORMAL, row)] = normal;
                    a.records[record_at(a, t, env, DEVIATION, row)] = deviation;
                }
            }
        }

        // Activity and update.
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            const int row = place.row(i);
            const Real activity = activation(h.get(i));
            h.set(i, activity);
            if (place.speaks(i)) {
                source.keep(t, row, activity);
                if (spec.recurrent && !last) next[spec.input + row] = next_starts ? Real(0) : activity;
            }
            if (spec.plastic_bias && place.has_row(i)) {
                const Real decayed = table.bias_rate(bias_lambda_at(), row) * bias_state.get(i);
                bias_state.set(i, fused(table.bias_rate(bias_gamma_at(), row), activity, decayed));
            }
            const Real factor = scale.get(i) * ratio.get(i);
            Real square = 0;
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                if (!place.computes(i, k)) continue;
                const int m = i * own_columns() + k, column = place.column(k);
                const Real after = limited(changed(table.lambda(m, row, column), table.gamma(m, row, column), factor,
                                                   fast.get(m), activity, z[column]));
                fast.set(m, after);
                const Real effective = table.weight(m, row, column) + after;
                square = fused(effective, effective, square);
            }
            if (spec.normalize_state == 2) {
                scale.set(i, inverse_norm(row_sum(square)));
                if (a.records && place.speaks(i)) a.records[record_at(a, t, env, SCALE_AFTER, row)] = scale.get(i);
            }
        }
        barrier(4);
        if constexpr (Source::plays) source.turn(t, last, next);
    }

    if (!a.end) return;
    Global<Real> end = a.end + (long long)env * state_len();
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) {
        const int row = place.row(i);
        if (place.speaks(i)) {
            if (spec.recurrent) end[row] = h.get(i);
            if (spec.plastic_bias) end[after_fast_at() + row] = bias_state.get(i);
        }
        STPN_UNROLL_COLUMNS
        for (int k = 0; k < own_columns(); ++k) {
            const int column = place.column(k);
            if (place.has(i, k) && is_plastic(column))
                end[fast_at() + fast_index(row, column)] = scale.get(i) * fast.get(i * own_columns() + k);
        }
    }
}

STPN_FORWARD_KERNEL plastic_forward(Operands a) {
    Given source(a);
    plastic_sequence(a, source);
}

STPN_FORWARD_KERNEL plastic_measured(SynapseMeasured measured) {
    Measured source(measured);
    plastic_sequence(measured.sequence, source);
}

// Rollouts: every environment with its network, from the first step to the last.
STPN_FORWARD_KERNEL plastic_mazes(SynapseRollout<MazeOperands> rollout) {
    OnePlayed<Mazes> source(rollout);
    plastic_sequence(rollout.sequence, source);
}

STPN_FORWARD_KERNEL plastic_foreseen(SynapseRollout<ForeseenOperands> rollout) {
    OnePlayed<Foreseen> source(rollout);
    plastic_sequence(rollout.sequence, source);
}

STPN_FORWARD_KERNEL plastic_games(SynapseRollout<GameOperands> rollout) {
    OnePlayed<Games> source(rollout);
    plastic_sequence(rollout.sequence, source);
}
