// Sums over lanes, rows and columns, each in a fixed order.

// Sum over the lanes of a row; all of them get it, bit for bit the same.
STPN_DEVICE Real row_sum(Real value) {
    STPN_UNROLL_ALWAYS
    for (int offset = spec.lanes / 2; offset > 0; offset /= 2) value += shuffle_xor(value, offset);
    return value;
}

// Sum over the threads of the block; all of them get it. `parts` [warps] must not be in use since the last barrier.
STPN_DEVICE Real block_sum(Real value, Shared parts, int site) {
    value = warp_sum(value);
    if (thread_index() % 32 == 0) parts[thread_index() / 32] = value;
    barrier(site);
    Real sum = 0;
    for (int warp = 0; warp < warps(); ++warp) sum += parts[warp];
    return sum;
}

// Writes each warp's sums over rows into `parts` [warps, D]; `column_sum` adds them up after a barrier.
STPN_DEVICE void leave_columns(const Place& place, const ColumnValues& values, Shared parts) {
    STPN_UNROLL_COLUMNS
    for (int k = 0; k < own_columns(); ++k) {
        Real value = values.get(k);
        STPN_UNROLL_ALWAYS
        for (int offset = spec.lanes; offset < 32; offset *= 2) value += shuffle_xor(value, offset);
        if (place.thread % 32 < spec.lanes && place.column(k) < width())
            parts[place.thread / 32 * width() + place.column(k)] = value;
    }
}

STPN_DEVICE Real column_sum(Shared parts, int column) {
    Real sum = 0;
    for (int warp = 0; warp < warps(); ++warp) sum += parts[warp * width() + column];
    return sum;
}
