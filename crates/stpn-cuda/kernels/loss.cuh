// The loss of advantage actor-critic, −log π(a|s)·A + c_v (R − V)² − c_e H(π) + c_c Σ_a π(a)², with its gradient in the
// outputs of the heads. A thread computes one step, in double precision as the CPU does.

enum { LOSS_SUMS = 4 };

STPN_DEVICE bool counts_at(Global<const unsigned char> counts, long long n) { return !counts || counts[n] != 0; }

template <class Distribution>
STPN_DEVICE void a2c_step(const LossOperands& a, long long n, double (&sums)[LOSS_SUMS]) {
    const long long t = n / a.batch, env = n % a.batch, there = env * a.steps + t;
    const DistributionParameters parameters = parameters_at(a.policy, there);
    const DistributionStep step = {there, parameters, parameters, false};
    const Distribution policy(a.policy, step);
    const Terms terms = policy.terms();
    const double advantage = (Real(a.advantages[n]) - a.mean) * a.inverse_deviation;
    const double error = value_at(a.policy, there) - Real(a.returns[n]);
    const Terms by = {-advantage, -a.entropy, a.concentration, 0};
    policy.gradient(terms, by, gradient_at(a.policy, n, a.scale));
    set_value_gradient(a.policy, n, 2 * a.value * error * a.scale);
    sums[0] = -terms.log_prob * advantage;
    sums[1] = error * error;
    sums[2] = terms.entropy;
    sums[3] = terms.concentration;
}

STPN_GENERAL_KERNEL a2c_loss(LossOperands a) {
    const long long n = (long long)block_index() * SUM_THREADS + thread_index();
    double sums[LOSS_SUMS] = {0, 0, 0, 0};
    if (n < (long long)a.steps * a.batch) {
        if (!counts_at(a.counts, n))
            zero_gradient(a.policy, n);
        else if (a.policy.kind == DISTRIBUTION_CATEGORICAL)
            a2c_step<Categorical>(a, n, sums);
        else if (a.policy.kind == DISTRIBUTION_BERNOULLI)
            a2c_step<Bernoulli>(a, n, sums);
        else
            a2c_step<Gaussian>(a, n, sums);
    }
    leave_sums(sums, a.partials);
}
