// A sequence of differentiable plasticity or Backpropamine backward: one block for a few environments, one after
// another.
//
// Step t: c = m D with D = h z, or the trace E; F' = rule(F, c, m); E' = E + η (h z - E). Through the update first,
// which gives the gradients of m and h, then through the modulator, then through the product.

// Fast weights (and traces) before each of the steps [first, last) into their slots, from those of the checkpoint.
STPN_DEVICE void recompute_modulated(const Operands& a, const Place& place, int first, int last, int env, Real eta,
                                     Shared z, Slots& slots) {
    const bool retroactive = spec.modulation == RETROACTIVE;
    STPN_UNROLL_COLUMNS
    for (int m = 0; m < own(); ++m) {
        slots.set(0, m, a.checkpoints[checkpoint_at(a, first, env, 0, matrices(), m)]);
        if (retroactive) slots.set(1, m, a.checkpoints[checkpoint_at(a, first, env, 1, matrices(), m)]);
    }
    for (int t = first; t + 1 < last; ++t) {
        const bool cut = starts(a, t + 1, env);
        const int from = (t - first) * matrices(), to = from + matrices();
        const Real rate = a.records[rate_at(a, t, env)];
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            const Real h = place.has_row(i) ? Real(a.hidden[unit_at(a, t, env, place.row(i))]) : Real(0);
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                if (!place.computes(i, k)) continue;
                const int m = i * own_columns() + k, column = place.column(k);
                const bool kept = is_plastic(column) && !cut;
                const Real hebbian = h * z[(t - first) * width() + column];
                const Real term = retroactive ? slots.get(from + 1, m) : hebbian;
                slots.set(to, m, kept ? applied(slots.get(from, m), rate * term, rate) : Real(0));
                if (retroactive) slots.set(to + 1, m, kept ? traced(eta, term, hebbian) : Real(0));
            }
        }
    }
}

STPN_KERNEL modulated_backward(Operands a) {
    const int size = width();
    const Place place;
    Shared z_segment = shared_memory();                     // [every, D]
    Shared parts = z_segment + (long long)a.every * size;    // [4, warps]
    Shared columns = parts + 4 * warps();                    // [warps, D]
    Shared carried = columns + warps() * size;               // [H], gradient of h from the next step's z
    Shared rest = carried + spec.hidden;
    Global<Real> scratch = a.scratch + block_index() * a.scratch_len;
    const long long after_sums = spec.place ? 3LL * padded() : 0;
    Sums weights(scratch), alphas(scratch + (spec.place ? padded() : 0));
    const long long second = spec.place && matrices() == 2 ? padded() : 0;
    Store gradient(rest, scratch + after_sums);              // of F after the step
    Store grad_trace(rest + (spec.place == 1 ? second : 0), scratch + after_sums + (spec.place == 2 ? second : 0));
    Slots slots;
    slots.in_shared = a.slots_in_shared;
    slots.shared = rest + (spec.place == 1 ? (long long)matrices() * padded() : 0);
    slots.global = scratch + after_sums + (spec.place == 2 ? (long long)matrices() * padded() : 0);
    slots.thread = place.thread;
    const ModulatedTable table(place, a.parameters);
    const Real eta = table.eta();
    const bool retroactive = spec.modulation == RETROACTIVE;
    RowValues bias_sum, modulator_sum, through;
    Real eta_sum = 0, modulator_bias_sum = 0;
    STPN_UNROLL_COLUMNS
    for (int m = 0; m < own(); ++m) {
        weights.set(m, 0);
        alphas.set(m, 0);
    }
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) {
        bias_sum.set(i, 0);
        modulator_sum.set(i, 0);
    }

    const int first_env = block_index() * a.group;
    const int envs = a.batch - first_env < a.group ? a.batch - first_env : a.group;
    for (int env = first_env; env < first_env + envs; ++env) {
        Global<Real> grad_state = a.grad_state + (long long)env * state_len();
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            const int row = place.row(i);
            if (place.speaks(i)) carried[row] = grad_state[row];
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                const int m = i * own_columns() + k, column = place.column(k);
                const bool given = place.has(i, k) && is_plastic(column);
                gradient.set(m, given ? Real(grad_state[fast_at() + fast_index(row, column)]) : Real(0));
                if (retroactive)
                    grad_trace.set(m, given ? Real(grad_state[after_fast_at() + fast_index(row, column)]) : Real(0));
            }
        }

        for (int segment = (a.steps - 1) / a.every; segment >= 0; --segment) {
            const int first = segment * a.every;
            const int last = a.steps < first + a.every ? a.steps : first + a.every;
            for (int at = place.thread; at < (last - first) * size; at += spec.threads)
                z_segment[at] = presynaptic(a, first + at / size, env, at % size);
            barrier(23);
            recompute_modulated(a, place, first, last, env, eta, z_segment, slots);

            for (int t = last - 1; t >= first; --t) {
                Shared z = z_segment + (t - first) * size;
                const bool cut = starts(a, t, env);
                const int slot = (t - first) * matrices();
                const Real rate = a.records[rate_at(a, t, env)];

                // Through the update.
                ColumnValues grad_z;
                STPN_UNROLL_COLUMNS
                for (int k = 0; k < own_columns(); ++k) grad_z.set(k, 0);
                Real grad_rate = 0;
                STPN_UNROLL
                for (int i = 0; i < own_rows(); ++i) {
                    const Real h = place.has_row(i) ? Real(a.hidden[unit_at(a, t, env, place.row(i))]) : Real(0);
                    Real to_h = 0;
                    STPN_UNROLL_COLUMNS
                    for (int k = 0; k < own_columns(); ++k) {
                        const int m = i * own_columns() + k, column = place.column(k);
                        if (!place.computes(i, k) || !is_plastic(column)) continue;
                        const Real hebbian = h * z[column];
                        const Real term = retroactive ? slots.get(slot + 1, m) : hebbian;
                        const Through back(slots.get(slot, m), rate * term, rate, gradient.get(m));
                        grad_rate = fused(back.change, term, grad_rate + back.rate);
                        Real to_hebbian = back.change * rate;
                        if (retroactive) {
                            const Real outer = grad_trace.get(m);
                            eta_sum = fused(outer, hebbian - term, eta_sum);
                            grad_trace.set(m, cut ? Real(0) : fused(-eta, outer, outer) + to_hebbian);
                            to_hebbian = eta * outer;
                        }
                        to_h = fused(to_hebbian, z[column], to_h);
                        grad_z.set(k, fused(to_hebbian, h, grad_z.get(k)));
                        gradient.set(m, back.fast);
                    }
                    through.set(i, row_sum(to_h));
                }

                // Through what sets the rate.
                Real grad_modulator = 0;
                if (spec.modulation == CONSTANT) {
                    eta_sum += grad_rate;
                } else {
                    grad_modulator = block_sum(grad_rate, parts, 24) * (Real(1) - rate * rate);
                    modulator_bias_sum += grad_modulator;
                }

                // Through the product.
                STPN_UNROLL
                for (int i = 0; i < own_rows(); ++i) {
                    if (!place.has_row(i)) continue;
                    const int row = place.row(i);
                    const Real h = a.hidden[unit_at(a, t, env, row)];
                    Real outer = through.get(i) + a.grad_hidden[unit_at(a, t, env, row)] + carried[row];
                    if (spec.modulation != CONSTANT) {
                        outer = fused(grad_modulator, a.parameters[modulator_at() + row], outer);
                        modulator_sum.set(i, fused(grad_modulator, h, modulator_sum.get(i)));
                    }
                    outer *= Real(1) - h * h;
                    bias_sum.set(i, bias_sum.get(i) + outer);
                    STPN_UNROLL_COLUMNS
                    for (int k = 0; k < own_columns(); ++k) {
                        if (!place.computes(i, k)) continue;
                        const int m = i * own_columns() + k, column = place.column(k);
                        const Real alpha = table.alpha(m, row, column), fast = slots.get(slot, m);
                        const Real to_effective = outer * z[column];
                        weights.add(m, to_effective);
                        alphas.set(m, fused(to_effective, fast, alphas.get(m)));
                        grad_z.set(k, fused(outer, fused(alpha, fast, table.weight(m, row, column)), grad_z.get(k)));
                        gradient.set(m, cut ? Real(0) : fused(to_effective, alpha, gradient.get(m)));
                    }
                }
                leave_columns(place, grad_z, columns);
                barrier(25);
                pass_on(a, t, env, place, columns, carried, cut);
                barrier(26);
            }
        }

        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            const int row = place.row(i);
            if (place.speaks(i)) grad_state[row] = carried[row];
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                const int m = i * own_columns() + k, column = place.column(k);
                if (!place.has(i, k) || !is_plastic(column)) continue;
                grad_state[fast_at() + fast_index(row, column)] = gradient.get(m);
                if (retroactive) grad_state[after_fast_at() + fast_index(row, column)] = grad_trace.get(m);
            }
        }
    }

    Global<Real> to = a.partials + (long long)block_index() * modulated_parameters();
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) {
        const int row = place.row(i);
        if (place.speaks(i)) {
            to[modulated_bias_at() + row] = bias_sum.get(i);
            if (spec.modulation != CONSTANT) to[modulator_at() + row] = modulator_sum.get(i);
        }
        STPN_UNROLL_COLUMNS
        for (int k = 0; k < own_columns(); ++k) {
            const int m = i * own_columns() + k, column = place.column(k);
            if (!place.has(i, k)) continue;
            to[modulated_weight_index(row, column)] = weights.get(m);
            if (is_plastic(column)) to[alpha_at() + fast_index(row, column)] = alphas.get(m);
        }
    }
    if (spec.modulation != NETWORK) {
        eta_sum = block_sum(eta_sum, parts + 2 * warps(), 27);
        if (place.thread == 0) to[eta_at()] = eta_sum;
    }
    // Each thread has the whole sum.
    if (spec.modulation != CONSTANT && place.thread == 0) to[modulator_bias_at()] = modulator_bias_sum;
}
