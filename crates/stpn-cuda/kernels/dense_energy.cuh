// The factors of the energy of dense layers, Σ |W| (m x)², which is their product.

// One thread for each element of both.
STPN_GENERAL_KERNEL energy_factors(DenseEnergyOperands a) {
    const long long at = (long long)block_index() * PRODUCT_THREADS + thread_index(), rest = at - a.squares_len;
    if (rest >= a.magnitudes_len) return;
    if (rest >= 0) {
        a.magnitudes[rest] = magnitude(Real(a.parameters[rest]));
        return;
    }
    Real value = a.x[at];
    if (a.mask) value *= a.mask[at % a.input];
    a.squares[at] = value * value;
}
