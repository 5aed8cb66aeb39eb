// What a loss asks of a distribution, of which each family has a struct: its terms at an action, and the gradient in
// its parameters from derivatives in these terms. In double precision, with the operations of the CPU
// (`agents/src/policy/distribution`).

// Log-probability (density) of the action, entropy, Σ_a π(a)² of discrete actions, and divergence from the distribution
// that acted; or the derivatives of a loss in them.
struct Terms {
    double log_prob, entropy, concentration, kl;
};

// Parameters of one distribution: those that the head puts out, then the free ones.
struct DistributionParameters {
    Global<const Real> head, free;
    int head_len;
    STPN_DEVICE double operator[](int i) const {
        return i < head_len ? double(Real(head[i])) : double(Real(free[i - head_len]));
    }
};

// Their gradient, which is multiplied by `scale` at the end.
struct DistributionGradient {
    Global<Real> head, free;
    int head_len;
    double scale;
    STPN_DEVICE void set(int i, double slope) const {
        if (i < head_len)
            head[i] = Real(slope * scale);
        else
            free[i - head_len] = Real(slope * scale);
    }
};

// The distribution of one step, whose action is number `action`; and that which acted, if the divergence from it
// counts.
struct DistributionStep {
    long long action;
    DistributionParameters now, old;
    bool has_old;
};

STPN_DEVICE int output_width(const PolicyOperands& p) { return p.head_len + (p.values ? 0 : 1); }

STPN_DEVICE DistributionParameters parameters_at(const PolicyOperands& p, long long n) {
    return {p.outputs + n * output_width(p), p.free, p.head_len};
}

STPN_DEVICE DistributionGradient gradient_at(const PolicyOperands& p, long long n, double scale) {
    return {p.grad + n * output_width(p), p.grad_free + n * (p.len - p.head_len), p.head_len, scale};
}

STPN_DEVICE double value_at(const PolicyOperands& p, long long n) {
    return p.values ? double(Real(p.values[n])) : double(Real(p.outputs[n * output_width(p) + p.head_len]));
}

STPN_DEVICE void set_value_gradient(const PolicyOperands& p, long long n, double slope) {
    if (p.values)
        p.grad_values[n] = Real(slope);
    else
        p.grad[n * output_width(p) + p.head_len] = Real(slope);
}

// A step without loss has no gradient.
STPN_DEVICE void zero_gradient(const PolicyOperands& p, long long n) {
    const DistributionGradient grad = gradient_at(p, n, 1);
    for (int i = 0; i < p.len; ++i) grad.set(i, 0);
    set_value_gradient(p, n, 0);
}

// ln(1 + e^x) without overflow.
STPN_DEVICE double double_softplus(double x) {
    return (x > 0 ? x : 0) + double_log1p(double_exponential(x > 0 ? -x : x));
}
