// Nonlinearities, and their slopes by what they give.

STPN_DEVICE Real logistic(Real value) { return Real(1) / (Real(1) + exponential(-value)); }
STPN_DEVICE Real logistic_slope(Real activity) { return activity * (Real(1) - activity); }
STPN_DEVICE Real tangent_slope(Real activity) { return Real(1) - activity * activity; }

// Those of a dense layer.
enum Nonlinearity { LINEAR, TANH, RELU };

STPN_DEVICE Real applied_nonlinearity(int kind, Real value) {
    if (kind == TANH) return tangent(value);
    // In this order NaN stays NaN.
    if (kind == RELU) return value < 0 ? Real(0) : value;
    return value;
}

STPN_DEVICE Real nonlinearity_slope(int kind, Real activity) {
    if (kind == TANH) return tangent_slope(activity);
    if (kind == RELU) return activity > 0 ? Real(1) : Real(0);
    return 1;
}
