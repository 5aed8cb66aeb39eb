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

STPN_DEVICE void ppo_step(const PpoOperands& a, long long n, Global<Real> grad, double (&sums)[PPO_SUMS]) {
    const Global<const Real> outputs = a.outputs + n * (a.choices + 1);
    const Softmax policy(outputs, a.choices);
    double entropy, concentration;
    policy.measure(entropy, concentration);
    // Without a penalty, what stands for the old policy is not used.
    const Global<const Real> old_logits = a.logits ? a.logits + n * a.choices : outputs;
    const Softmax old(old_logits, a.choices);
    double kl = 0;
    for (int i = 0; a.logits && i < a.choices; ++i)
        kl += old.probability(i) * (old.log_probability(i) - policy.log_probability(i));

    const int action = static_cast<int>(static_cast<unsigned int>(a.actions[n]));
    const double advantage = (Real(a.advantages[n]) - a.mean) * a.inverse_deviation;
    const double log_ratio = policy.log_probability(action) - Real(a.log_probs[n]), ratio = double_exponential(log_ratio);
    const double free = ratio * advantage, clipped = double_clamp(ratio, 1 - a.clip, 1 + a.clip) * advantage;
    // Where both are equal the ratio lies inside the range, and the derivative is that of the free one.
    const bool is_free = free <= clipped;
    double by_value;
    const double error =
        value_loss(a, Real(outputs[a.choices]), Real(a.values[n]), Real(a.returns[n]), by_value);

    const double to_log_prob = (is_free ? -free : 0) * a.scale, to_entropy = -a.entropy * a.scale, to_kl = a.kl * a.scale;
    for (int i = 0; i < a.choices; ++i) {
        const double p = policy.probability(i);
        double slope = to_log_prob * Softmax::log_slope(p, i == action);
        slope -= to_entropy * p * policy.entropy_slope(i, p, entropy);
        if (a.logits) slope += to_kl * (p - old.probability(i));
        grad[i] = Real(slope);
    }
    grad[a.choices] = Real(a.value * by_value * a.scale);

    sums[PPO_STEPS] = 1;
    sums[PPO_POLICY] = is_free ? -free : -clipped;
    sums[PPO_VALUE] = error;
    sums[PPO_ENTROPY] = entropy;
    sums[PPO_CONCENTRATION] = concentration;
    sums[PPO_KL] = kl;
    sums[PPO_OLD_APPROX_KL] = -log_ratio;
    sums[PPO_APPROX_KL] = (ratio - 1) - log_ratio;
    sums[PPO_CLIPPED] = ratio - 1 > a.clip || ratio - 1 < -a.clip ? 1 : 0;
    sums[PPO_TOTAL] = sums[PPO_POLICY] + a.value * error - a.entropy * entropy + a.kl * kl;
}

STPN_GENERAL_KERNEL ppo_loss(PpoOperands a) {
    const long long n = (long long)block_index() * SUM_THREADS + thread_index();
    double sums[PPO_SUMS] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    if (n < a.steps) {
        const Global<Real> grad = a.grad + n * (a.choices + 1);
        if (counts_at(a.counts, n))
            ppo_step(a, n, grad, sums);
        else
            zero_gradient(grad, a.choices + 1);
    }
    leave_sums(sums, a.partials);
}
