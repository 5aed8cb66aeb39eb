// Which synapses belong to a thread, and where it keeps their values.

typedef STPN_OWN_VALUES OwnValues;
typedef STPN_ROW_VALUES RowValues;
typedef STPN_COLUMN_VALUES ColumnValues;

// The place of a thread in its block. Threads of a group share rows; a row's columns are dealt out to its lanes.
struct Place {
    int thread, lane, group;
    STPN_DEVICE Place() {
        thread = thread_index();
        lane = thread % spec.lanes;
        group = thread / spec.lanes;
    }
    STPN_DEVICE int row(int i) const { return group + i * groups(); }
    STPN_DEVICE int column(int k) const { return lane + k * spec.lanes; }
    STPN_DEVICE bool has_row(int i) const { return row(i) < spec.hidden; }
    STPN_DEVICE bool has(int i, int k) const { return row(i) < spec.hidden && column(k) < width(); }
    // True where a pass computes: in registers, rows that do not exist have parameters and fast weights of zero and do
    // no harm; columns need a check only if they are not dealt out evenly.
    STPN_DEVICE bool computes(int i, int k) const {
        if (spec.place != 0) return has(i, k);
        return width() % spec.lanes == 0 || column(k) < width();
    }
    // True in one thread of those that share the row.
    STPN_DEVICE bool speaks(int i) const { return lane == 0 && has_row(i); }
};

STPN_DEVICE bool is_plastic(int column) {
    return column >= spec.plastic_first && column < spec.plastic_first + spec.plastic_len;
}

// Index of a plastic synapse in the packed fast weights.
STPN_DEVICE int fast_index(int row, int column) { return row * spec.plastic_len + column - spec.plastic_first; }

// One value for each synapse of the thread. No other thread reads them, so that no barrier is needed.
struct Store {
    OwnValues registers;
    Shared shared;
    Global<Real> global;
    int thread;

    // `shared` or `global` point to `padded()` values of the block, where that is the place.
    STPN_DEVICE Store(Shared shared_, Global<Real> global_) : shared(shared_), global(global_), thread(thread_index()) {}
    STPN_DEVICE Real get(int m) const {
        if (spec.place == 0) return registers.get(m);
        if (spec.place == 1) return shared[m * spec.threads + thread];
        return global[m * spec.threads + thread];
    }
    STPN_DEVICE void set(int m, Real value) {
        if (spec.place == 0)
            registers.set(m, value);
        else if (spec.place == 1)
            shared[m * spec.threads + thread] = value;
        else
            global[m * spec.threads + thread] = value;
    }
};

// Sums for each synapse of the thread: in registers, or in global memory, since shared memory is for what every step
// reads and writes.
struct Sums {
    OwnValues registers;
    Global<Real> global;
    int thread;

    STPN_DEVICE explicit Sums(Global<Real> global_) : global(global_), thread(thread_index()) {}
    STPN_DEVICE Real get(int m) const {
        return spec.place == 0 ? registers.get(m) : Real(global[m * spec.threads + thread]);
    }
    STPN_DEVICE void set(int m, Real value) {
        if (spec.place == 0)
            registers.set(m, value);
        else
            global[m * spec.threads + thread] = value;
    }
    STPN_DEVICE void add(int m, Real value) { set(m, get(m) + value); }
};

// Fast weights before each step of a segment, in shared memory if they fit.
struct Slots {
    bool in_shared;
    Shared shared;
    Global<Real> global;
    int thread;

    STPN_DEVICE Real get(int slot, int m) const {
        long long at = ((long long)slot * own() + m) * spec.threads + thread;
        return in_shared ? Real(shared[at]) : Real(global[at]);
    }
    STPN_DEVICE void set(int slot, int m, Real value) {
        long long at = ((long long)slot * own() + m) * spec.threads + thread;
        if (in_shared)
            shared[at] = value;
        else
            global[at] = value;
    }
};
