// The exact backward pass of a sequence of LSTM, GRU or RNN, as far as it goes from step to step: the gradients of all
// pre-activations. Those of weights and inputs follow from them, for all steps at once.

// The gradient that the activity before a step gets through the gates.
STPN_DEVICE Real through_gates(Shared parts, int e, int unit) {
    Real sum = 0;
    STPN_UNROLL_ALWAYS
    for (int gate = 0; gate < gate_count(); ++gate) sum += parts[e * gate_rows() + gate * spec.hidden + unit];
    return sum;
}

STPN_ALONE_KERNEL gated_backward(GatedOperands a) {
    const int size = spec.hidden, first = block_index() * spec.tile;
    const int here = a.batch - first < spec.tile ? a.batch - first : spec.tile;
    Shared left = shared_memory();                                        // [gate rows, tile], of pre-activations
    Shared parts = left + gate_rows() * spec.tile;                        // [tile, gate rows], of the activity before
    Shared straight = parts + gate_rows() * spec.tile;                    // [tile, H], the LSTM's of c, the GRU's of h
    Shared means = straight + (spec.kind == RNN ? 0 : spec.tile * size);  // [2, tile]
    Shared gradients = means + 2 * spec.tile;                             // [2, gate rows], with layer norm
    const Recurrent recurrent(gradients + (a.norm < 0 ? 0 : 2 * gate_rows()), a.weights);

    for (int at = thread_index(); at < spec.tile * size; at += spec.threads) {
        const int e = at / size, unit = at % size;
        const long long state = (long long)(first + e) * gated_state() + unit;
        STPN_UNROLL_ALWAYS
        for (int gate = 0; gate < gate_count(); ++gate) {
            const int row = gate * size + unit;
            parts[e * gate_rows() + row] = e < here && gate == 0 ? Real(a.grad_state[state]) : Real(0);
            left[row * spec.tile + e] = 0;
        }
        if (spec.kind == LSTM) straight[at] = e < here ? Real(a.grad_state[state + size]) : Real(0);
        if (spec.kind == GRU) straight[at] = 0;
    }
    if (a.norm >= 0)
        for (int row = thread_index(); row < gate_rows(); row += spec.threads)
            gradients[row] = gradients[gate_rows() + row] = 0;
    // Nothing of this is read by another thread before the next barrier.

    for (int t = a.steps - 1; t >= 0; --t) {
        // From the activity and the memory after the step to the pre-activations.
        for (int at = thread_index(); at < here * size; at += spec.threads) {
            const int e = at / size, unit = at % size, env = first + e;
            const long long activity = activity_at(a, t, env) + unit, gate = gate_at(a, t, env) + unit;
            const bool cut = t + 1 < a.steps && starts(a, t + 1, env);
            Real grad = a.grad_hidden[activity], gates[4], grads[4];
            if (!cut) grad += through_gates(parts, e, unit);
            if (spec.kind == RNN) {
                const Real h = a.hidden[activity];
                grads[0] = grad * tangent_slope(h);
            } else {
                STPN_UNROLL_ALWAYS
                for (int g = 0; g < gate_count(); ++g) gates[g] = a.gates[gate + g * size];
                const Real kept = a.memory[activity];
                if (spec.kind == LSTM) {
                    Real grad_c = cut ? Real(0) : Real(straight[at]);
                    lstm_unit_back(gates, kept, grad, grad_c, grads);
                    straight[at] = grad_c;
                } else {
                    gates[3] = kept;
                    if (!cut) grad += straight[at];
                    straight[at] = gru_unit_back(gates, a.before[activity], grad, grads);
                    a.grad_new[activity] = grads[3];
                }
            }
            STPN_UNROLL_ALWAYS
            for (int g = 0; g < gate_count(); ++g) {
                if (a.norm < 0) a.grad_gates[gate + g * size] = grads[g];
                // Activities reach the GRU's n through r.
                left[(g * size + unit) * spec.tile + e] = grads[spec.kind == GRU && g == 2 ? 3 : g];
            }
        }
        // The step before reads this from far away, and is a product away itself.
        for (int at = thread_index(); t && at < here * size; at += spec.threads) {
            const long long activity = activity_at(a, t - 1, first + at / size) + at % size;
            const long long gate = gate_at(a, t - 1, first + at / size) + at % size;
            prefetch(a.grad_hidden + activity);
            prefetch((spec.kind == RNN ? a.hidden : a.memory) + activity);
            if (spec.kind == GRU) prefetch(a.before + activity);
            STPN_UNROLL_ALWAYS
            for (int g = 0; spec.kind != RNN && g < gate_count(); ++g) prefetch(a.gates + (gate + g * size));
        }
        barrier(35);
        if (a.norm >= 0) {
            gate_means(a, t, first, here, left, means);
            barrier(36);
            for (int row = thread_index(); row < gate_rows(); row += spec.threads)
                norm_back(a, t, first, here, row, left, means, gradients);
            barrier(37);
        }
        for (int row = thread_index(); row < gate_rows(); row += spec.threads) {
            TileValues sums;
            STPN_UNROLL_ALWAYS
            for (int e = 0; e < spec.tile; ++e) sums.set(e, 0);
            recurrent.multiply(row, left + row / size * size * spec.tile, sums);
            STPN_UNROLL_ALWAYS
            for (int e = 0; e < spec.tile; ++e) parts[e * gate_rows() + row] = sums.get(e);
        }
        barrier(38);
    }

    for (int at = thread_index(); at < here * size; at += spec.threads) {
        const int e = at / size, unit = at % size;
        const long long state = (long long)(first + e) * gated_state() + unit;
        const bool cut = starts(a, 0, first + e);
        Real grad = through_gates(parts, e, unit);
        if (spec.kind == GRU) grad += straight[at];
        a.grad_state[state] = cut ? Real(0) : grad;
        if (spec.kind == LSTM) a.grad_state[state + size] = cut ? Real(0) : Real(straight[at]);
    }
    if (a.norm >= 0)
        for (int row = thread_index(); row < 2 * gate_rows(); row += spec.threads)
            a.grad_norm[(long long)block_index() * 2 * gate_rows() + row] = gradients[row];
}
