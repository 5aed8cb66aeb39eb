// Adam with gradients clipped by their norm, in one pass over parameters, gradients and moments. The norm is summed in
// double precision, in an order that depends on the number of values alone.

enum { NORM_PART = 4096 };

// Each block adds up the squares of 4096 values.
STPN_GENERAL_KERNEL square_sums(NormOperands a) {
    const long long first = (long long)block_index() * NORM_PART;
    const long long last = first + NORM_PART < a.len ? first + NORM_PART : a.len;
    double sum = 0;
    for (long long at = first + thread_index(); at < last; at += SUM_THREADS) {
        const double value = a.values[at];
        sum = sum + value * value;
    }
    sum = halved_sum(sum, shared_doubles());
    if (thread_index() == 0) a.partials[block_index()] = sum;
}

// One block adds those up.
STPN_GENERAL_KERNEL norm_of_parts(NormOperands a) {
    double sum = 0;
    for (int at = thread_index(); at < a.blocks; at += SUM_THREADS) sum = sum + a.partials[at];
    sum = halved_sum(sum, shared_doubles());
    if (thread_index() == 0) a.norms[a.which] = double_root(sum);
}

// The same operations as on the CPU, in the same order.
STPN_GENERAL_KERNEL adam(AdamOperands a) {
    const long long own = (long long)block_index() * SUM_THREADS + thread_index(), at = a.first + own;
    if (own >= a.len) return;
    const double norm_now = a.norms[0];
    Real gradient = a.gradients[at];
    if (norm_now > a.max_norm) gradient *= Real(a.max_norm / (norm_now + 1e-6));
    const Real first = a.beta1 * a.first_moment[at] + (Real(1) - a.beta1) * gradient;
    const Real second = a.beta2 * a.second_moment[at] + (Real(1) - a.beta2) * gradient * gradient;
    a.first_moment[at] = first;
    a.second_moment[at] = second;
    const Real before = a.parameters[at];
    Real value = before - a.rate * first / (root(second) * a.root_correction + a.epsilon);
    if (a.factor != Real(1)) value = before + a.factor * (value - before);
    if (a.limit >= 0) {
        // Not `min` and `max`: these would hide a NaN.
        if (value < 0) value = 0;
        if (value > a.limit) value = a.limit;
    }
    a.parameters[at] = value;
}
