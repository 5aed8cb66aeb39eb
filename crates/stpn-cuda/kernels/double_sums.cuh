// Sums over the threads of a block of 256 in double precision, in a fixed order.

enum { SUM_THREADS = 256 };

// Thread 0 gets it.
STPN_DEVICE double halved_sum(double value, SharedDoubles parts) {
    parts[thread_index()] = value;
    barrier(60);
    for (int half = SUM_THREADS / 2; half > 0; half /= 2) {
        if (thread_index() < half) parts[thread_index()] = parts[thread_index()] + parts[thread_index() + half];
        barrier(61);
    }
    return parts[0];
}

// Adds up what the threads have, each of the sums by itself, into this block's row of `partials` [blocks, N].
template <int N> STPN_DEVICE void leave_sums(const double (&sums)[N], Global<double> partials) {
    STPN_UNROLL_ALWAYS
    for (int i = 0; i < N; ++i) {
        const double sum = halved_sum(sums[i], shared_doubles());
        if (thread_index() == 0) partials[(long long)block_index() * N + i] = sum;
        barrier(62);
    }
}
