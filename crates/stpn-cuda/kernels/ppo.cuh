// The loss of PPO, −min(r A, clip(r, 1 ± ε) A) + c_v (R − V)² − c_e H(π) + c_k KL(π_old ‖ π) with r = π(a|s) /
// π_old(a|s), and its gradient in the outputs of the heads. A thread computes one step, in double precision as the CPU
// does.

enum { PPO_STEPS, PPO_TOTAL, PPO_POLICY, PPO_VALUE, PPO_ENTROPY, PPO_CONCENTRATION, PPO_KL, PPO_OLD_APPROX_KL,
       PPO_APPROX_KL, PPO_CLIPPED, PPO_SUMS };

// Not `min` and `max`: these would hide a NaN.
STPN_DEVICE double double_clamp(double value, double low, double high) {
    return value < low ? low : value > high ? high : value;
}

// The squared error of a value, and its derivative.
STPN_DEVICE double value_loss(const PpoOperands& a, double value, double old, double target, double& derivative) {
    const double error = value - target;
    double loss = error * error;
    derivative = 2 * error;
    if (a.value_clip >= 0) {
        const double moved = value - old, clipped = old + double_clamp(moved, -a.value_clip, a.value_clip) - target;
        if (clipped * clipped > loss) {
            loss = clipped * clipped;
            derivative = moved > -a.value_clip && moved < a.value_clip ? 2 * clipped : 0;
        }
    }
    if (a.value_error_clamp >= 0 && loss > a.value_error_clamp) {
        loss = a.value_error_clamp;
        derivative = 0;
    }
    return loss;
}

template <class Distribution>
STPN_DEVICE void ppo_step(const PpoOperands& a, long long n, double (&sums)[PPO_SUMS]) {
    const DistributionParameters now = parameters_at(a.policy, n);
    const bool has_old = bool(a.behaviour);
    const DistributionParameters old = {a.behaviour + n * a.policy.len, a.policy.free, a.policy.len};
    const DistributionStep step = {n, now, has_old ? old : now, has_old};
    const Distribution policy(a.policy, step);
    const Terms terms = policy.terms();
    const double advantage = (Real(a.advantages[n]) - a.mean) * a.inverse_deviation;
    const double log_ratio = terms.log_prob - Real(a.log_probs[n]), ratio = double_exponential(log_ratio);
    const double free = ratio * advantage, clipped = double_clamp(ratio, 1 - a.clip, 1 + a.clip) * advantage;
    // Where both are equal the ratio lies inside the range, and the derivative is that of the free one.
    const bool is_free = free <= clipped;
    double by_value;
    const double error =
        value_loss(a, value_at(a.policy, n), Real(a.values[n]), Real(a.returns[n]), by_value);

    const Terms by = {(is_free ? -free : 0) * a.scale, -a.entropy * a.scale, 0, a.kl * a.scale};
    policy.gradient(terms, by, gradient_at(a.policy, n, 1));
    set_value_gradient(a.policy, n, a.value * by_value * a.scale);

    sums[PPO_STEPS] = 1;
    sums[PPO_POLICY] = is_free ? -free : -clipped;
    sums[PPO_VALUE] = error;
    sums[PPO_ENTROPY] = terms.entropy;
    sums[PPO_CONCENTRATION] = terms.concentration;
    sums[PPO_KL] = terms.kl;
    sums[PPO_OLD_APPROX_KL] = -log_ratio;
    sums[PPO_APPROX_KL] = (ratio - 1) - log_ratio;
    sums[PPO_CLIPPED] = ratio - 1 > a.clip || ratio - 1 < -a.clip ? 1 : 0;
    sums[PPO_TOTAL] = sums[PPO_POLICY] + a.value * error - a.entropy * terms.entropy + a.kl * terms.kl;
}

STPN_GENERAL_KERNEL ppo_loss(PpoOperands a) {
    const long long n = (long long)block_index() * SUM_THREADS + thread_index();
    double sums[PPO_SUMS] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    if (n < a.steps) {
        if (!counts_at(a.counts, n))
            zero_gradient(a.policy, n);
        else if (a.policy.kind == DISTRIBUTION_CATEGORICAL)
            ppo_step<Categorical>(a, n, sums);
        else if (a.policy.kind == DISTRIBUTION_BERNOULLI)
            ppo_step<Bernoulli>(a, n, sums);
        else
            ppo_step<Gaussian>(a, n, sums);
    }
    leave_sums(sums, a.partials);
}
