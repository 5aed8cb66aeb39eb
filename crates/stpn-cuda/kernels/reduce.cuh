// Sums of the blocks' gradients, in an order that depends on their number alone.

// Adds rows of `values` [rows, len] up, `fan` successive ones into each row of `sums` [ceil(rows / fan), len].
STPN_KERNEL sum_rows(Global<const Real> values, Global<Real> sums, int rows, int fan, long long len, int tiles) {
    const long long column = (long long)(block_index() % tiles) * spec.threads + thread_index();
    const int to = block_index() / tiles;
    if (column >= len) return;
    const int last = rows < (to + 1) * fan ? rows : (to + 1) * fan;
    Real sum = 0;
    for (int row = to * fan; row < last; ++row) sum += values[row * len + column];
    sums[to * len + column] = sum;
}
