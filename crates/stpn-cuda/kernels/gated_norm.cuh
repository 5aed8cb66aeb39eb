// Layer norm over all gates of an environment together.

// Mean and 1/deviation of `sums` [tile, gate rows] into `moments` [2, tile], each environment by one warp.
STPN_DEVICE void gate_moments(int here, Shared sums, Shared moments) {
    const int lane = thread_index() % 32;
    for (int e = thread_index() / 32; e < here; e += warps()) {
        Shared values = sums + e * gate_rows();
        Real sum = 0;
        for (int row = lane; row < gate_rows(); row += 32) sum += values[row];
        const Real mean = warp_sum(sum) / Real(gate_rows());
        sum = 0;
        for (int row = lane; row < gate_rows(); row += 32) {
            const Real centred = values[row] - mean;
            sum = fused(centred, centred, sum);
        }
        const Real variance = warp_sum(sum) / Real(gate_rows());
        if (lane) continue;
        moments[e] = mean;
        moments[spec.tile + e] = Real(1) / root(variance + Real(STPN_VARIANCE_EPSILON));
    }
}

// Backward: means of δ and of δ times the normalised value, δ being the gradient of that, from the gradients `left`
// [gate rows, tile] of what the norm gives.
STPN_DEVICE void gate_means(const GatedOperands& a, int t, int first, int here, Shared left, Shared means) {
    const int lane = thread_index() % 32;
    for (int e = thread_index() / 32; e < here; e += warps()) {
        Real sum = 0, product = 0;
        for (int row = lane; row < gate_rows(); row += 32) {
            const Real outer = left[row * spec.tile + e] * a.parameters[a.norm + row];
            sum += outer;
            product = fused(outer, a.normal[gate_at(a, t, first + e) + row], product);
        }
        sum = warp_sum(sum) / Real(gate_rows());
        product = warp_sum(product) / Real(gate_rows());
        if (lane) continue;
        means[e] = sum;
        means[spec.tile + e] = product;
    }
}

// Backward: the gradients of a row become those of its pre-activations; adds up those of its gain and offset.
STPN_DEVICE void norm_back(const GatedOperands& a, int t, int first, int here, int row, Shared left, Shared means,
                           Shared gradients) {
    const Real gain = a.parameters[a.norm + row];
    Real to_gain = 0, to_offset = 0;
    for (int e = 0; e < here; ++e) {
        const int env = first + e;
        const Real outer = left[row * spec.tile + e], normal = a.normal[gate_at(a, t, env) + row];
        to_gain = fused(outer, normal, to_gain);
        to_offset += outer;
        const Real centred = fused(outer, gain, -means[e]);
        const Real grad = fused(-normal, means[spec.tile + e], centred) * a.deviation[(long long)t * a.batch + env];
        left[row * spec.tile + e] = grad;
        a.grad_gates[gate_at(a, t, env) + row] = grad;
    }
    gradients[row] = gradients[row] + to_gain;
    gradients[gate_rows() + row] = gradients[gate_rows() + row] + to_offset;
}
