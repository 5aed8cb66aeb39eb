// What a step of a plastic layer reads, and passes gradients to.

STPN_DEVICE Real input_at(const Operands& a, int t, int env, int column) {
    return a.x[((long long)t * a.batch + env) * spec.input + column];
}

STPN_DEVICE long long unit_at(const Operands& a, int t, int env, int row) {
    return ((long long)t * a.batch + env) * spec.hidden + row;
}

// The activity before step t.
STPN_DEVICE Real activity_before(const Operands& a, int t, int env, int row) {
    if (starts(a, t, env)) return 0;
    return t ? Real(a.hidden[unit_at(a, t - 1, env, row)]) : Real(a.start[(long long)env * state_len() + row]);
}

// Presynaptic element of step t.
STPN_DEVICE Real presynaptic(const Operands& a, int t, int env, int column) {
    return column < spec.input ? input_at(a, t, env, column) : activity_before(a, t, env, column - spec.input);
}

STPN_DEVICE long long checkpoint_at(const Operands& a, int t, int env, int matrix, int matrices, int m) {
    long long of_env = (long long)(t / a.every) * a.batch + env;
    return ((of_env * matrices + matrix) * own() + m) * spec.threads + thread_index();
}

// Passes on the gradient of step t's presynaptic elements, of which `columns` has each warp's sums since a barrier: that of
// the activities to the step before, unless the episode starts here (`cut`), and that of the inputs to grad_x.
STPN_DEVICE void pass_on(const Operands& a, int t, int env, const Place& place, Shared columns, Shared carried, bool cut) {
    for (int column = place.thread; column < width(); column += spec.threads) {
        const Real sum = column_sum(columns, column);
        if (column >= spec.input)
            carried[column - spec.input] = cut ? Real(0) : sum;
        else if (a.grad_x)
            a.grad_x[((long long)t * a.batch + env) * spec.input + column] = sum;
    }
}
