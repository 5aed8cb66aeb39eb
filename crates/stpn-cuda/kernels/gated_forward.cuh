// A sequence of LSTM, GRU or RNN forward: one block for `tile` environments.

// Its state in shared memory: [H, tile], and of the LSTM [tile, H].
STPN_DEVICE Shared shared_h() { return shared_memory(); }
STPN_DEVICE Shared shared_c() { return shared_memory() + spec.hidden * spec.tile; }

template <class Source> STPN_DEVICE void gated_sequence(const GatedOperands& a, Source& source) {
    const int size = spec.hidden, first = block_index() * spec.tile, here = environments_here(a.batch);
    Shared h = shared_h(), c = shared_c();
    Shared sums = c + (spec.kind == LSTM ? spec.tile * size : 0);  // [tile, slots, H]
    Shared moments = sums + spec.tile * slot_count() * size;       // [2, tile]
    const Recurrent recurrent(moments + 2 * spec.tile, a.weights);

    for (int at = thread_index(); at < spec.tile * size; at += spec.threads) {
        const int e = at / size, unit = at % size;
        const bool given = e < here && !source.starts_at(0, e);
        const long long state = (long long)(first + e) * gated_state() + unit;
        h[unit * spec.tile + e] = given ? Real(a.start[state]) : Real(0);
        if (spec.kind == LSTM) c[at] = given ? Real(a.start[state + size]) : Real(0);
    }
    source.begin();
    barrier(30);

    for (int t = 0; t < a.steps; ++t) {
        if constexpr (Source::measures) source.measure(t);
        // Pre-activations. Those from inputs are asked for first and needed last.
        for (int row = thread_index(); row < gate_rows(); row += spec.threads) {
            TileValues inputs, product;
            const Real bias = a.second_bias < 0 ? Real(0) : Real(a.parameters[a.second_bias + row]);
            source.inputs(t, row, inputs);
            STPN_UNROLL_ALWAYS
            for (int e = 0; e < spec.tile; ++e) product.set(e, bias);
            recurrent.multiply(row, h, product);
            const bool apart = spec.kind == GRU && row >= 2 * size;
            STPN_UNROLL_ALWAYS
            for (int e = 0; e < spec.tile; ++e) {
                Shared of = sums + e * slot_count() * size + row;
                of[0] = apart ? inputs.get(e) : inputs.get(e) + product.get(e);
                if (apart) of[size] = product.get(e);
            }
        }
        barrier(31);
        if (a.norm >= 0) {
            gate_moments(here, sums, moments);
            barrier(32);
        }

        for (int at = thread_index(); at < here * size; at += spec.threads) {
            const int e = at / size, unit = at % size, env = first + e;
            const long long activity = activity_at(a, t, env) + unit, gate = gate_at(a, t, env) + unit;
            Real gates[4];
            STPN_UNROLL_ALWAYS
            for (int slot = 0; slot < slot_count(); ++slot) {
                const int row = slot * size + unit;
                gates[slot] = sums[e * slot_count() * size + row];
                if (a.norm < 0) continue;
                const Real normal = (gates[slot] - moments[e]) * moments[spec.tile + e];
                if (a.before) a.normal[gate_at(a, t, env) + row] = normal;
                gates[slot] = fused(normal, a.parameters[a.norm + row], a.parameters[a.norm + gate_rows() + row]);
            }
            if (a.norm >= 0 && a.before && unit == 0) a.deviation[(long long)t * a.batch + env] = moments[spec.tile + e];

            const bool cut = !Source::plays && t + 1 < a.steps && source.starts_at(t + 1, e);
            const Real old = h[unit * spec.tile + e];
            Real activity_now = 0, kept = 0;
            if (spec.kind == LSTM) {
                Real memory = kept = c[at];
                activity_now = lstm_unit(gates, memory);
                c[at] = cut ? Real(0) : memory;
            } else if (spec.kind == GRU) {
                activity_now = gru_unit(gates, old);
                kept = gates[3];
            } else {
                activity_now = tangent(gates[0]);
            }
            h[unit * spec.tile + e] = cut ? Real(0) : activity_now;
            a.hidden[activity] = activity_now;
            if (!a.before) continue;
            a.before[activity] = old;
            if (spec.kind == RNN) continue;
            a.memory[activity] = kept;
            STPN_UNROLL_ALWAYS
            for (int g = 0; g < gate_count(); ++g) a.gates[gate + g * size] = gates[g];
        }
        barrier(33);
        if constexpr (Source::plays) source.turn(t, t + 1 == a.steps);
    }

    for (int at = thread_index(); at < here * size; at += spec.threads) {
        const int e = at / size, unit = at % size;
        const long long state = (long long)(first + e) * gated_state() + unit;
        a.end[state] = h[unit * spec.tile + e];
        if (spec.kind == LSTM) a.end[state + size] = c[at];
    }
}

STPN_ALONE_KERNEL gated_forward(GatedOperands a) {
    GatedGiven source(a);
    gated_sequence(a, source);
}

STPN_ALONE_KERNEL gated_measured(GatedMeasured measured) {
    GatedGivenMeasured source(measured, shared_h());
    gated_sequence(measured.sequence, source);
}

STPN_ALONE_KERNEL gated_mazes(GatedRollout<MazeOperands> rollout) {
    GatedPlayed<Mazes> source(rollout, shared_h(), shared_c());
    gated_sequence(rollout.sequence, source);
}

STPN_ALONE_KERNEL gated_foreseen(GatedRollout<ForeseenOperands> rollout) {
    GatedPlayed<Foreseen> source(rollout, shared_h(), shared_c());
    gated_sequence(rollout.sequence, source);
}

STPN_ALONE_KERNEL gated_games(GatedRollout<GameOperands> rollout) {
    GatedPlayed<Games> source(rollout, shared_h(), shared_c());
    gated_sequence(rollout.sequence, source);
}
