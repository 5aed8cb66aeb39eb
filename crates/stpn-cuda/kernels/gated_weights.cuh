// The recurrent matrix of LSTM, GRU and RNN: as it lies in memory, and its product with the state of a block.
//
// Forward, the product of row g H + j is Σ_k W[g H + j, k] h[k]. Backward, that of the same number is gate g's part of
// the gradient of h[j], Σ_k W[g H + k, j] δ[g H + k]. Both read a matrix [H, gate rows], k down: threads next to one
// another read values next to one another.

enum Kind { LSTM, GRU, RNN };

typedef STPN_TILE_VALUES TileValues;

STPN_FIXED gate_count() { return spec.kind == LSTM ? 4 : spec.kind == GRU ? 3 : 1; }
STPN_FIXED gate_rows() { return gate_count() * spec.hidden; }
// Pre-activations of a unit: of the GRU's n that from inputs, and last that from activities.
STPN_FIXED slot_count() { return spec.kind == RNN ? 1 : 4; }
STPN_FIXED gated_state() { return spec.kind == LSTM ? 2 * spec.hidden : spec.hidden; }

STPN_DEVICE long long gate_at(const GatedOperands& a, int t, int env) {
    return ((long long)t * a.batch + env) * gate_rows();
}
STPN_DEVICE long long activity_at(const GatedOperands& a, int t, int env) {
    return ((long long)t * a.batch + env) * spec.hidden;
}

// Lays the recurrent matrix out for a pass, one element a thread.
STPN_DEVICE void lay_out(const GatedOperands& a, bool backward) {
    const int at = block_index() * spec.threads + thread_index(), size = spec.hidden;
    if (at >= size * gate_rows()) return;
    const int k = at / gate_rows(), row = at % gate_rows(), gate = row / size, unit = row % size;
    const long long from_row = gate * size + (backward ? k : unit), from_column = backward ? unit : k;
    a.weights[at] = a.parameters[a.recurrent + from_row * a.recurrent_row + from_column * a.recurrent_column];
}

STPN_KERNEL gated_layout_forward(GatedOperands a) { lay_out(a, false); }
STPN_KERNEL gated_layout_backward(GatedOperands a) { lay_out(a, true); }

// Its first rows k in shared memory, as many as fit, the others in global memory.
struct Recurrent {
    Shared resident;
    Global<Real> weights;

    // To be followed by a barrier.
    STPN_DEVICE Recurrent(Shared resident_, Global<Real> weights_) : resident(resident_), weights(weights_) {
        for (int at = thread_index(); at < spec.resident * gate_rows(); at += spec.threads) resident[at] = weights[at];
    }

    // Adds the products of a row with `left` [H, tile] to `sums`, for all environments of the block at once.
    STPN_DEVICE void multiply(int row, Shared left, TileValues& sums) const {
        STPN_UNROLL_COLUMNS
        for (int k = 0; k < spec.resident; ++k) add(resident[k * gate_rows() + row], left + k * spec.tile, sums);
        STPN_UNROLL_COLUMNS
        for (int k = spec.resident; k < spec.hidden; ++k)
            add(weights[(long long)k * gate_rows() + row], left + k * spec.tile, sums);
    }

    STPN_DEVICE static void add(Real weight, Shared left, TileValues& sums) {
        STPN_UNROLL_ALWAYS
        for (int first = 0; first < spec.tile; first += 4) {
            Real four[4];
            const int len = spec.tile < 4 ? spec.tile : 4;
            if (len == 4) load_four(left + first, four);
            STPN_UNROLL_ALWAYS
            for (int i = 0; i < len; ++i) {
                const Real value = len == 4 ? four[i] : Real(left[first + i]);
                sums.set(first + i, fused(weight, value, sums.get(first + i)));
            }
        }
    }
};
