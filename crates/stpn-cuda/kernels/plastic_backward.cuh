// A sequence of the STPN family backward: one block for a few environments, one after another. `docs/backward.md` has
// the equations and the names.

// Sums of the parameters' gradients over steps and environments.
struct PlasticSums {
    Sums weights, lambdas, gammas;
    RowValues bias, gain, offset, bias_lambda, bias_gamma;

    STPN_DEVICE explicit PlasticSums(Global<Real> scratch)
        : weights(scratch), lambdas(scratch + (spec.place ? padded() : 0)), gammas(scratch + (spec.place ? 2 * padded() : 0)) {
        STPN_UNROLL_COLUMNS
        for (int m = 0; m < own(); ++m) {
            weights.set(m, 0);
            lambdas.set(m, 0);
            gammas.set(m, 0);
        }
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            bias.set(i, 0);
            gain.set(i, 0);
            offset.set(i, 0);
            bias_lambda.set(i, 0);
            bias_gamma.set(i, 0);
        }
    }

    // Writes a row value for each unit, or its sum over them.
    STPN_DEVICE void write_rows(const Place& place, const RowValues& values, Global<Real> to, bool one, Shared parts, int site) {
        if (!one) {
            STPN_UNROLL
            for (int i = 0; i < own_rows(); ++i)
                if (place.speaks(i)) to[place.row(i)] = values.get(i);
            return;
        }
        Real sum = 0;
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) sum += place.speaks(i) ? values.get(i) : Real(0);
        sum = block_sum(sum, parts, site);
        if (place.thread == 0) to[0] = sum;
    }

    // Writes λ's or γ's gradients, summed as their granularity asks.
    STPN_DEVICE void write_rates(const Place& place, const Table& table, bool gamma, Global<Real> to, Shared parts, Shared columns, int site) {
        Real sum = 0;
        ColumnValues of_columns;
        STPN_UNROLL_COLUMNS
        for (int k = 0; k < own_columns(); ++k) {
            const int column = place.column(k);
            Real of_column = 0;
            STPN_UNROLL
            for (int i = 0; i < own_rows(); ++i) {
                if (!place.has(i, k) || !is_plastic(column)) continue;
                const int m = i * own_columns() + k, row = place.row(i);
                const Real value = gamma ? table.gamma_gradient(row, column, gammas.get(m))
                                         : table.lambda_gradient(row, column, lambdas.get(m), gammas.get(m));
                if (spec.granularity == 0) to[fast_index(row, column)] = value;
                of_column += value;
            }
            of_columns.set(k, of_column);
            sum += of_column;
        }
        if (spec.granularity == 2) {
            sum = block_sum(sum, parts, site);
            if (place.thread == 0) to[0] = sum;
        }
        if (spec.granularity == 1) {
            leave_columns(place, of_columns, columns);
            barrier(site + 1);
            for (int column = place.thread; column < spec.plastic_len; column += spec.threads)
                to[column] = column_sum(columns, column + spec.plastic_first);
            barrier(site + 2);
        }
    }

    // Writes the packed gradient. `parts` [4, warps] and `columns` [warps, D] must not be in use since the last barrier.
    STPN_DEVICE void write(const Place& place, const Table& table, Global<Real> to, Shared parts, Shared columns) {
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k)
                if (place.has(i, k)) to[place.row(i) * width() + place.column(k)] = weights.get(i * own_columns() + k);
        }
        const bool one = spec.granularity != 0;
        if (spec.bias) write_rows(place, bias, to + bias_at(), false, parts, 0);
        write_rates(place, table, false, to + lambda_at(), parts, columns, 10);
        write_rates(place, table, true, to + gamma_at(), parts + warps(), columns, 13);
        if (spec.plastic_bias) {
            write_rows(place, bias_lambda, to + bias_lambda_at(), one, parts + 2 * warps(), 16);
            write_rows(place, bias_gamma, to + bias_gamma_at(), one, parts + 3 * warps(), 17);
        }
        if (spec.layer_norm) {
            write_rows(place, gain, to + gain_at(), false, parts, 0);
            write_rows(place, offset, to + offset_at(), false, parts, 0);
        }
    }
};

// Turns gradients of the layer-normalised pre-activations into those of the plain ones.
STPN_DEVICE void moments_back(const Operands& a, const Place& place, int t, int env, const Table& table, RowValues& grad,
                              PlasticSums& sums, Shared parts) {
    RowValues normal;
    Real mean = 0, slope = 0;
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) {
        normal.set(i, 0);
        if (!place.has_row(i)) continue;
        const int row = place.row(i);
        const Real outer = grad.get(i);
        normal.set(i, a.records[record_at(a, t, env, NORMAL, row)]);
        sums.gain.set(i, fused(outer, normal.get(i), sums.gain.get(i)));
        sums.offset.set(i, sums.offset.get(i) + outer);
        grad.set(i, outer * table.of_row(gain_at(), row));
        if (place.lane == 0) {
            mean += grad.get(i);
            slope = fused(grad.get(i), normal.get(i), slope);
        }
    }
    mean = block_sum(mean, parts, 5) / Real(spec.hidden);
    slope = block_sum(slope, parts + warps(), 6) / Real(spec.hidden);
    STPN_UNROLL
    for (int i = 0; i < own_rows(); ++i) {
        if (!place.has_row(i)) continue;
        const Real deviation = a.records[record_at(a, t, env, DEVIATION, place.row(i))];
        grad.set(i, (grad.get(i) - mean - normal.get(i) * slope) * deviation);
    }
}

// Fast weights before each of the steps [first, last) into their slots, from those of the checkpoint `first`.
STPN_DEVICE void recompute(const Operands& a, const Place& place, int first, int last, int env, const Table& table,
                           Shared z, Slots& slots) {
    STPN_UNROLL_COLUMNS
    for (int m = 0; m < own(); ++m) slots.set(0, m, a.checkpoints[checkpoint_at(a, first, env, 0, 1, m)]);
    for (int t = first; t + 1 < last; ++t) {
        const bool cut = starts(a, t + 1, env);
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            const bool has_row = place.has_row(i);
            const int row = place.row(i);
            Real h = 0, factor = 1;
            if (has_row) {
                h = a.hidden[unit_at(a, t, env, row)];
                if (spec.normalize_state == 2) factor = a.records[record_at(a, t, env, SCALE, row)];
                if (spec.normalize_state == 1) factor = a.records[record_at(a, t, env, RATIO, row)];
            }
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                if (!place.computes(i, k)) continue;
                const int m = i * own_columns() + k, column = place.column(k);
                const Real after = limited(changed(table.lambda(m, row, column), table.gamma(m, row, column), factor,
                                                   slots.get(t - first, m), h, z[(t - first) * width() + column]));
                slots.set(t + 1 - first, m, cut ? Real(0) : after);
            }
        }
    }
}

STPN_KERNEL plastic_backward(Operands a) {
    const int size = width();
    const Place place;
    Shared z_segment = shared_memory();                     // [every, D]
    Shared parts = z_segment + (long long)a.every * size;    // [4, warps]
    Shared columns = parts + 4 * warps();                    // [warps, D]
    Shared carried = columns + warps() * size;               // [H], gradient of h from the next step's z
    Shared rest = carried + spec.hidden;
    Global<Real> scratch = a.scratch + block_index() * a.scratch_len;
    // Scratch is [3 sums][X, if it is its place][slots, if it is theirs]; none of what lies in registers.
    PlasticSums sums(scratch);
    const long long after_sums = spec.place ? 3LL * padded() : 0;
    Store gradient(rest, scratch + after_sums);              // X
    Slots slots;
    slots.in_shared = a.slots_in_shared;
    slots.shared = rest + (spec.place == 1 ? padded() : 0);
    slots.global = scratch + after_sums + (spec.place == 2 ? padded() : 0);
    slots.thread = place.thread;
    const Table table(place, a.parameters);
    RowValues grad_bias, norm_after, scale_after, decay_sum, grad;

    const int first_env = block_index() * a.group;
    const int envs = a.batch - first_env < a.group ? a.batch - first_env : a.group;
    for (int env = first_env; env < first_env + envs; ++env) {
        Global<Real> grad_state = a.grad_state + (long long)env * state_len();
        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            const int row = place.row(i);
            grad_bias.set(i, spec.plastic_bias && place.has_row(i) ? Real(grad_state[after_fast_at() + row]) : Real(0));
            if (place.speaks(i)) carried[row] = spec.recurrent ? Real(grad_state[row]) : Real(0);
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k) {
                const bool given = place.has(i, k) && is_plastic(place.column(k));
                gradient.set(i * own_columns() + k,
                             given ? Real(grad_state[fast_at() + fast_index(row, place.column(k))]) : Real(0));
            }
        }

        for (int segment = (a.steps - 1) / a.every; segment >= 0; --segment) {
            const int first = segment * a.every;
            const int last = a.steps < first + a.every ? a.steps : first + a.every;
            for (int at = place.thread; at < (last - first) * size; at += spec.threads)
                z_segment[at] = presynaptic(a, first + at / size, env, at % size);
            barrier(7);
            recompute(a, place, first, last, env, table, z_segment, slots);

            for (int t = last - 1; t >= first; --t) {
                Shared z = z_segment + (t - first) * size;
                const bool cut = starts(a, t, env);

                // Row sums of the update, and the gradient of the activity.
                STPN_UNROLL
                for (int i = 0; i < own_rows(); ++i) {
                    const bool has_row = place.has_row(i);
                    const int row = place.row(i);
                    const Real h = has_row ? Real(a.hidden[unit_at(a, t, env, row)]) : Real(0);
                    Real scale = 1, ratio = 1, s = 1;
                    if (has_row && spec.normalize_state == 2) {
                        scale = a.records[record_at(a, t, env, SCALE, row)];
                        s = a.records[record_at(a, t, env, SCALE_AFTER, row)];
                    }
                    if (has_row && spec.normalize_state == 1) ratio = a.records[record_at(a, t, env, RATIO, row)];
                    Real along = 0, rate = 0, rate_weights = 0, decayed = 0;
                    STPN_UNROLL_COLUMNS
                    for (int k = 0; k < own_columns(); ++k) {
                        if (!place.computes(i, k)) continue;
                        const int m = i * own_columns() + k, column = place.column(k);
                        const Real lambda = table.lambda(m, row, column), gamma = table.gamma(m, row, column);
                        const Real fast = slots.get(t - first, m);
                        const Real change = changed(lambda, gamma, scale * ratio, fast, h, z[column]);
                        const Real outer = gradient.get(m);
                        const Real let_through = inside(change) ? gamma * z[column] : Real(0);
                        rate = fused(let_through, outer, rate);
                        if (spec.normalize_state == 2) {
                            const Real after = limited(change);
                            along = fused(outer, after, along);
                            rate_weights = fused(let_through, table.weight(m, row, column) + after, rate_weights);
                        }
                        if (spec.normalize_state == 1 && inside(change)) decayed = fused(lambda * outer, fast, decayed);
                    }
                    rate = row_sum(rate);
                    if (spec.normalize_state == 2) {
                        along = row_sum(along);
                        // -(X Φ)/n³, in an order in which nothing overflows if n is zero.
                        norm_after.set(i, -(along * s * s) * norm_slope(s));
                        scale_after.set(i, s);
                        rate = fused(norm_after.get(i), row_sum(rate_weights), s * rate);
                    }
                    decay_sum.set(i, spec.normalize_state == 1 ? row_sum(decayed) : Real(0));
                    Real through = rate;
                    if (has_row) {
                        through += a.grad_hidden[unit_at(a, t, env, row)];
                        through += carried[row];
                        if (spec.plastic_bias) {
                            const Real outer = grad_bias.get(i);
                            const Real before = a.records[record_at(a, t, env, BIAS_STATE, row)];
                            sums.bias_lambda.set(i, fused(outer, before, sums.bias_lambda.get(i)));
                            sums.bias_gamma.set(i, fused(outer, h, sums.bias_gamma.get(i)));
                            through = fused(table.bias_rate(bias_gamma_at(), row), outer, through);
                        }
                    }
                    grad.set(i, has_row ? through * activation_slope(h) : Real(0));
                }
                if (spec.layer_norm) moments_back(a, place, t, env, table, grad, sums, parts);

                // Gradients of the synapses and of z.
                ColumnValues grad_z;
                STPN_UNROLL_COLUMNS
                for (int k = 0; k < own_columns(); ++k) grad_z.set(k, 0);
                STPN_UNROLL
                for (int i = 0; i < own_rows(); ++i) {
                    if (!place.has_row(i)) continue;
                    const int row = place.row(i);
                    const Real h = a.hidden[unit_at(a, t, env, row)];
                    const Real outer = grad.get(i);
                    sums.bias.set(i, sums.bias.get(i) + outer);
                    if (spec.plastic_bias)
                        grad_bias.set(i, fused(table.bias_rate(bias_lambda_at(), row), grad_bias.get(i), outer));
                    Real scale = 1, ratio = 1, product = outer, norm = 0;
                    if (spec.normalize_state == 2) scale = a.records[record_at(a, t, env, SCALE, row)];
                    if (spec.normalize_state == 1) {
                        ratio = a.records[record_at(a, t, env, RATIO, row)];
                        norm -= decay_sum.get(i) * ratio * ratio * norm_slope(ratio);
                    }
                    if (spec.normalize_forward) {
                        const Real inverse = a.records[record_at(a, t, env, INVERSE, row)];
                        product = outer * inverse;
                        norm -= product * a.records[record_at(a, t, env, PRODUCT, row)] * norm_slope(inverse);
                    }
                    STPN_UNROLL_COLUMNS
                    for (int k = 0; k < own_columns(); ++k) {
                        if (!place.computes(i, k)) continue;
                        const int m = i * own_columns() + k, column = place.column(k);
                        const Real lambda = table.lambda(m, row, column), gamma = table.gamma(m, row, column);
                        const Real weight = table.weight(m, row, column);
                        const Real fast = slots.get(t - first, m);
                        const Real change = changed(lambda, gamma, scale * ratio, fast, h, z[column]);
                        Real of_change = gradient.get(m), of_weight = 0;
                        if (spec.normalize_state == 2) {
                            of_weight = norm_after.get(i) * (weight + limited(change));
                            of_change = fused(scale_after.get(i), of_change, of_weight);
                        }
                        if (!inside(change)) of_change = 0;
                        const Real effective = fused(scale, fast, weight);
                        const Real of_effective = fused(product, z[column], norm * effective);
                        sums.weights.add(m, of_weight + of_effective);
                        sums.lambdas.set(m, fused(of_change, scale * ratio * fast, sums.lambdas.get(m)));
                        sums.gammas.set(m, fused(of_change, h * z[column], sums.gammas.get(m)));
                        grad_z.set(k, fused(gamma * h, of_change, fused(product, effective, grad_z.get(k))));
                        gradient.set(m, cut ? Real(0) : fused(lambda * ratio, of_change, of_effective));
                    }
                    if (cut) grad_bias.set(i, 0);
                }
                leave_columns(place, grad_z, columns);
                barrier(8);
                pass_on(a, t, env, place, columns, carried, cut);
                barrier(9);
            }
        }

        STPN_UNROLL
        for (int i = 0; i < own_rows(); ++i) {
            const int row = place.row(i);
            if (place.speaks(i)) {
                if (spec.recurrent) grad_state[row] = carried[row];
                if (spec.plastic_bias) grad_state[after_fast_at() + row] = grad_bias.get(i);
            }
            STPN_UNROLL_COLUMNS
            for (int k = 0; k < own_columns(); ++k)
                if (place.has(i, k) && is_plastic(place.column(k)))
                    grad_state[fast_at() + fast_index(row, place.column(k))] = gradient.get(i * own_columns() + k);
        }
    }
    sums.write(place, table, a.partials + (long long)block_index() * plastic_parameters(), parts, columns);
}
