// Where episodes start.

// True if one does at step t of that environment. `O` are the operands of any layer.
template <class O> STPN_DEVICE bool starts(const O& a, int t, int env) {
    return a.resets && a.resets[(long long)t * a.batch + env] != 0;
}
