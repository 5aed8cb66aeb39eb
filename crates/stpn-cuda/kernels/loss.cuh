// The loss of advantage actor-critic, −log π(a|s)·A + c_v (R − V)² − c_e H(π) + c_c Σ_a π(a)², with its gradient in the
// outputs of the heads. A thread computes one step, in double precision as the CPU does.

enum { LOSS_SUMS = 4 };

// A step without loss has no gradient.
STPN_DEVICE void zero_gradient(Global<Real> grad, int outputs) {
    for (int i = 0; i < outputs; ++i) grad[i] = 0;
}

STPN_DEVICE bool counts_at(Global<const unsigned char> counts, long long n) { return !counts || counts[n] != 0; }

STPN_DEVICE void a2c_step(const LossOperands& a, long long n, Global<Real> grad, double (&sums)[LOSS_SUMS]) {
    const long long t = n / a.batch, env = n % a.batch, there = env * a.steps + t;
    const Global<const Real> outputs = a.outputs + there * (a.choices + 1);
    const Softmax policy(outputs, a.choices);
    double entropy, concentration;
    policy.measure(entropy, concentration);
    const int action = static_cast<int>(static_cast<unsigned int>(a.actions[there]));
    const double advantage = (Real(a.advantages[n]) - a.mean) * a.inverse_deviation;
    const double error = double(Real(outputs[a.choices])) - Real(a.returns[n]);
    for (int i = 0; i < a.choices; ++i) {
        const double p = policy.probability(i);
        double slope = -advantage * Softmax::log_slope(p, i == action);
        slope += a.concentration * 2 * p * (p - concentration);
        slope += a.entropy * p * policy.entropy_slope(i, p, entropy);
        grad[i] = Real(slope * a.scale);
    }
    grad[a.choices] = Real(2 * a.value * error * a.scale);
    sums[0] = -policy.log_probability(action) * advantage;
    sums[1] = error * error;
    sums[2] = entropy;
    sums[3] = concentration;
}

STPN_GENERAL_KERNEL a2c_loss(LossOperands a) {
    const long long n = (long long)block_index() * SUM_THREADS + thread_index();
    double sums[LOSS_SUMS] = {0, 0, 0, 0};
    if (n < (long long)a.steps * a.batch) {
        const Global<Real> grad = a.grad + n * (a.choices + 1);
        if (counts_at(a.counts, n))
            a2c_step(a, n, grad, sums);
        else
            zero_gradient(grad, a.choices + 1);
    }
    leave_sums(sums, a.partials);
}
