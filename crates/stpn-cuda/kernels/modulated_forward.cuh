// A sequence of differentiable plasticity or Backpropamine forward: one block for each environment.

template <class Source> STPN_DEVICE void modulated_sequence(const Operands& a, Source& source) {
    const int env = block_index(), size = width();
    const Place place;
    Shared z_buffers = shared_memory();                // [2, D]
    Shared parts = z_buffers + 2 * size;                // [2, warps]
    Shared rest = parts + 2 * warps();
    Global<Real> scratch = a.scratch + (spec.place == 2 ? env * a.scratch_len : 0);
    const long long second = spec.place == 0 || matrices() == 1 ? 0 : padded();
    Store fast(rest, scratch), trace(rest + (spec.place == 1 ? second : 0), scratch + (spec.place == 2 ? second : 0));
    const ModulatedTable table(place, a.parameters);
    const Real eta = table.eta();
    const bool retroactive = spec.modulation == RETROACTIVE;
    RowValues h;

    Global<const Real> start = a.start + (long long)env * state_len();
    const bool fresh = source.starts_at(0);
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) {
        h.set(i, 0);
        STPN_UNROLL_COLUMNS
        for (int k = 0; k < own_columns(); ++k) {
            const int m = i * own_columns() + k, row = place.row(i), column = place.column(k);
            const bool given = place.has(i, k) && is_plastic(column) && !fresh;
            fast.set(m, given ? Real(start[fast_at() + fast_index(row, column)]) : Real(0));
            if (retroactive) trace.set(m, given ? Real(start[after_fast_at() + fast_index(row, column)]) : Real(0));
        }
    }
    for (int column = place.thread; column < size; column += spec.threads)
        z_buffers[column] = first_presynaptic(a, source, column);
    barrier(20);
    if constexpr (Source::plays) source.begin(z_buffers);

    for (int t = 0; t < a.steps; ++t) {
        Shared z = z_buffers + (t & 1) * size;
        Shared next = z_buffers + (~t & 1) * size;
        const bool last = t + 1 == a.steps;
        const bool next_starts = !Source::plays && !last && source.starts_at(t + 1);
        if (t && source.starts_at(t)) {
            STPN_UNROLL_COLUMNS
            for (int m = 0; m < own(); ++m) {
                fast.set(m, 0);
                if (retroactive) trace.set(m, 0);
            }
        }
        if (a.checkpoints && t % a.every == 0) {
            STPN_UNROLL_COLUMNS
            for (int m = 0; m < own(); ++m) {
                a.checkpoints[checkpoint_at(a, t, env, 0, matrices(), m)] = fast.get(m);
                if (retroactive) a.checkpoints[checkpoint_at(a, t, env, 1, matrices(), m)] = trace.get(m);
            }
        }
        if (!Source::plays && !last)
            for (int column = place.thread; column < spec.input; column += spec.threads)
                next[column] = input_at(a, t + 1, env, column);

        Real along_modulator = 0;
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            const int row = place.row(i);
            Real product = 0, energy = 0;
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                if (!place.computes(i, k)) continue;
                const int m = i * own_columns() + k, column = place.column(k);
                const Real effective = fused(table.alpha(m, row, column), fast.get(m), table.weight(m, row, column));
                product = fused(effective, z[column], product);
                if constexpr (Source::measures) energy += power(source.energy, t, column, effective, z[column]);
            }
            product = row_sum(product);
            if constexpr (Source::measures) {
                energy = row_sum(energy);
                if (place.speaks(i)) keep_energy(source.energy, t, env, row, energy);
            }
            if (!place.has_row(i)) continue;
            h.set(i, tangent(product + a.parameters[modulated_bias_at() + row]));
            if (!place.speaks(i)) continue;
            source.keep(t, row, h.get(i));
            if (!last) next[spec.input + row] = next_starts ? Real(0) : h.get(i);
            if (spec.modulation != CONSTANT)
                along_modulator = fused(a.parameters[modulator_at() + row], h.get(i), along_modulator);
        }
        Real rate = eta;
        if (spec.modulation != CONSTANT)
            rate = tangent(block_sum(along_modulator, parts, 22) + a.parameters[modulator_bias_at()]);
        if (a.records && place.thread == 0) a.records[rate_at(a, t, env)] = rate;

        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                const int m = i * own_columns() + k, column = place.column(k);
                if (!place.computes(i, k) || !is_plastic(column)) continue;
                const Real hebbian = h.get(i) * z[column];
                const Real term = retroactive ? trace.get(m) : hebbian;
                fast.set(m, applied(fast.get(m), rate * term, rate));
                if (retroactive) trace.set(m, traced(eta, term, hebbian));
            }
        }
        barrier(21);
        if constexpr (Source::plays) source.turn(t, last, next);
    }

    if (!a.end) return;
    Global<Real> end = a.end + (long long)env * state_len();
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) {
        if (place.speaks(i)) end[place.row(i)] = h.get(i);
        STPN_UNROLL_COLUMNS
        for (int k = 0; k < own_columns(); ++k) {
            const int m = i * own_columns() + k, column = place.column(k);
            if (!place.has(i, k) || !is_plastic(column)) continue;
            end[fast_at() + fast_index(place.row(i), column)] = fast.get(m);
            if (retroactive) end[after_fast_at() + fast_index(place.row(i), column)] = trace.get(m);
        }
    }
}

STPN_FORWARD_KERNEL modulated_forward(Operands a) {
    Given source(a);
    modulated_sequence(a, source);
}

STPN_FORWARD_KERNEL modulated_measured(SynapseMeasured measured) {
    Measured source(measured);
    modulated_sequence(measured.sequence, source);
}

STPN_FORWARD_KERNEL modulated_mazes(SynapseRollout<MazeOperands> rollout) {
    OnePlayed<Mazes> source(rollout);
    modulated_sequence(rollout.sequence, source);
}

STPN_FORWARD_KERNEL modulated_foreseen(SynapseRollout<ForeseenOperands> rollout) {
    OnePlayed<Foreseen> source(rollout);
    modulated_sequence(rollout.sequence, source);
}

STPN_FORWARD_KERNEL modulated_games(SynapseRollout<GameOperands> rollout) {
    OnePlayed<Games> source(rollout);
    modulated_sequence(rollout.sequence, source);
}
