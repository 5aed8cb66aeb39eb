// A tiled matrix product: a block of 256 threads has 64 x 64 results, each thread 4 x 4 of them, and takes 16 terms of
// each sum at once into shared memory, while it computes with the 16 before. Each result is one chain of fused
// multiply-adds in the order of the terms.
//
// For each term a thread reads 8 values for 16 multiply-adds; from global memory a block reads each value once for 64.

enum { TILE_SIDE = 64, TILE_DEPTH = 16, THREAD_SIDE = 4, PRODUCT_THREADS = 256 };
// With what is between rows, threads that write one column of a tile do not all meet in one bank.
enum { TILE_PITCH = TILE_SIDE + 4, TILE_LEN = TILE_DEPTH * TILE_PITCH };

// Elements of one tile [16, 64] that this thread brings. Neighbouring threads read neighbours in memory.
struct Share {
    bool along_depth;
    STPN_DEVICE explicit Share(bool along_depth_) : along_depth(along_depth_) {}
    STPN_DEVICE int depth(int at) const { return along_depth ? at % TILE_DEPTH : at / TILE_SIDE; }
    STPN_DEVICE int side(int at) const { return along_depth ? at / TILE_DEPTH : at % TILE_SIDE; }
};

// Where elements of plain matrices lie.
struct Matrices {
    const ProductOperands& p;
    STPN_DEVICE explicit Matrices(const ProductOperands& p_) : p(p_) {}
    STPN_DEVICE long long left(int row, long long term) const {
        return p.left.first + row * p.left.by_row + term * p.left.by_column;
    }
    STPN_DEVICE long long right(long long term, int column) const {
        return p.right.first + term * p.right.by_row + column * p.right.by_column;
    }
    STPN_DEVICE long long out(int row, int column) const {
        return p.out_first + row * p.out_by_row + column * p.out_by_column;
    }
    // Whether neighbours of a row of left, or of a column of right, lie side by side.
    STPN_DEVICE bool left_along_terms() const { return p.left.by_column < p.left.by_row; }
    STPN_DEVICE bool right_along_terms() const { return p.right.by_row < p.right.by_column; }
};

template <class Places>
STPN_DEVICE void bring_left(const ProductOperands& p, const Places& places, int row, long long from, long long last,
                            Shared tile) {
    const Share share(places.left_along_terms());
    const Real scale = Real(p.scale), unscale = 1 / scale;
    STPN_UNROLL_ALWAYS
    for (int at = thread_index(); at < TILE_DEPTH * TILE_SIDE; at += PRODUCT_THREADS) {
        const int d = share.depth(at), side = share.side(at);
        Real value = 0;
        if (row + side < p.rows && from + d < last) {
            const long long place = places.left(row + side, from + d);
            value = p.left.values[place];
            if (p.activity) value *= nonlinearity_slope(p.nonlinearity, p.activity[place] * unscale) * scale;
        }
        tile[d * TILE_PITCH + side] = value;
    }
}

template <class Places>
STPN_DEVICE void bring_right(const ProductOperands& p, const Places& places, int column, long long from, long long last,
                             Shared tile) {
    const Share share(places.right_along_terms());
    STPN_UNROLL_ALWAYS
    for (int at = thread_index(); at < TILE_DEPTH * TILE_SIDE; at += PRODUCT_THREADS) {
        const int d = share.depth(at), side = share.side(at);
        Real value = 0;
        if (column + side < p.columns && from + d < last) {
            if (p.ones && column + side == p.columns - 1)
                value = 1;
            else
                value = p.right.values[places.right(from + d, column + side)];
        }
        tile[d * TILE_PITCH + side] = value;
    }
}

template <class Places> STPN_DEVICE void tiled_product(const ProductOperands& p, const Places& places) {
    const int across = (p.columns + TILE_SIDE - 1) / TILE_SIDE, down = (p.rows + TILE_SIDE - 1) / TILE_SIDE;
    const int column = block_index() % across * TILE_SIDE, row = block_index() / across % down * TILE_SIDE;
    const long long part = block_index() / across / down, first = part * p.part;
    const long long last = first + p.part < p.depth ? first + p.part : p.depth;
    Shared lefts = shared_memory();         // [2, 16, pitch]
    Shared rights = lefts + 2 * TILE_LEN;   // [2, 16, pitch]
    const int own_row = thread_index() / (TILE_SIDE / THREAD_SIDE) * THREAD_SIDE;
    const int own_column = thread_index() % (TILE_SIDE / THREAD_SIDE) * THREAD_SIDE;
    STPN_FIXED_VALUES(THREAD_SIDE * THREAD_SIDE) sums;
    STPN_UNROLL_ALWAYS
    for (int m = 0; m < THREAD_SIDE * THREAD_SIDE; ++m) sums.set(m, 0);

    bring_left(p, places, row, first, last, lefts);
    bring_right(p, places, column, first, last, rights);
    barrier(50);
    int buffer = 0;
    for (long long from = first; from < last; from += TILE_DEPTH, buffer ^= 1) {
        if (from + TILE_DEPTH < last) {
            bring_left(p, places, row, from + TILE_DEPTH, last, lefts + (buffer ^ 1) * TILE_LEN);
            bring_right(p, places, column, from + TILE_DEPTH, last, rights + (buffer ^ 1) * TILE_LEN);
        }
        Shared left = lefts + buffer * TILE_LEN + own_row, right = rights + buffer * TILE_LEN + own_column;
        // Terms beyond the last are zeros, four at most for nothing.
        const int terms = last - from < TILE_DEPTH ? int(last - from) : int(TILE_DEPTH);
        for (int four = 0; four < terms; four += 4) {
            STPN_UNROLL_ALWAYS
            for (int d = four; d < four + 4; ++d) {
                Real a[THREAD_SIDE], b[THREAD_SIDE];
                load_four(left + d * TILE_PITCH, a);
                load_four(right + d * TILE_PITCH, b);
                STPN_UNROLL_ALWAYS
                for (int m = 0; m < THREAD_SIDE * THREAD_SIDE; ++m)
                    sums.set(m, fused(a[m / THREAD_SIDE], b[m % THREAD_SIDE], sums.get(m)));
            }
        }
        barrier(51);
    }

    STPN_UNROLL_ALWAYS
    for (int m = 0; m < THREAD_SIDE * THREAD_SIDE; ++m) {
        const int to_row = row + own_row + m / THREAD_SIDE, to_column = column + own_column + m % THREAD_SIDE;
        if (to_row >= p.rows || to_column >= p.columns) continue;
        Real value = sums.get(m);
        if (p.bias) value += p.bias[p.bias_first + to_column];
        if (!p.activity) value = applied_nonlinearity(p.nonlinearity, value) * Real(p.scale);
        const bool of_ones = p.ones && to_column == p.columns - 1;
        const long long place = of_ones ? p.ones_first + to_row : places.out(to_row, to_column);
        p.out[part * p.out_part + place] = value;
    }
}

STPN_GENERAL_KERNEL product(ProductOperands p) {
    const Matrices places(p);
    tiled_product(p, places);
}
