// Sums over the threads of a warp.

// All of them get it, bit for bit the same.
STPN_DEVICE Real warp_sum(Real value) {
    STPN_UNROLL_ALWAYS
    for (int offset = 16; offset > 0; offset /= 2) value += shuffle_xor(value, offset);
    return value;
}
