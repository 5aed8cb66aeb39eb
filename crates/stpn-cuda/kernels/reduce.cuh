// Sums of the blocks' gradients, in an order that depends on their number alone.

// Adds `fan` successive rows up into each row of sums.
STPN_KERNEL sum_rows(ReduceOperands a) {
    const long long column = (long long)(block_index() % a.tiles) * spec.threads + thread_index();
    const int to = block_index() / a.tiles;
    if (column >= a.len) return;
    const int last = a.rows < (to + 1) * a.fan ? a.rows : (to + 1) * a.fan;
    Real sum = 0;
    for (int row = to * a.fan; row < last; ++row) sum += a.values[row * a.len + column];
    a.sums[to * a.len + column] = sum;
}
