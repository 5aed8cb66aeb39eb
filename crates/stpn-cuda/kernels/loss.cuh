// The loss of advantage actor-critic, −log π(a|s)·A + c_v (R − V)² − c_e H(π) + c_c Σ_a π(a)², with its gradient in the
// outputs of the heads. A thread computes one step, in double precision as the CPU does.

enum { LOSS_SUMS = 4 };

STPN_GENERAL_KERNEL a2c_loss(LossOperands a) {
    const long long n = (long long)block_index() * NORM_THREADS + thread_index();
    double sums[LOSS_SUMS] = {0, 0, 0, 0};
    if (n < (long long)a.steps * a.batch) {
        const long long t = n / a.batch, env = n % a.batch, there = env * a.steps + t;
        const Global<const Real> logits = a.outputs + there * (a.choices + 1);
        const Global<Real> grad = a.grad + n * (a.choices + 1);
        double largest = Real(logits[0]), total = 0;
        for (int i = 1; i < a.choices; ++i) {
            const double logit = Real(logits[i]);
            if (logit > largest) largest = logit;
        }
        // A logit that is not a number is found in this sum.
        for (int i = 0; i < a.choices; ++i) total += double_exponential(Real(logits[i]) - largest);
        const double normalizer = largest + double_logarithm(total);
        double entropy = 0, concentration = 0;
        for (int i = 0; i < a.choices; ++i) {
            const double p = double_exponential(Real(logits[i]) - largest) / total;
            entropy -= p * (Real(logits[i]) - normalizer);
            concentration += p * p;
        }
        const int action = static_cast<int>(static_cast<unsigned int>(a.actions[there]));
        const double advantage = (Real(a.advantages[n]) - a.mean) * a.inverse_deviation;
        const double error = double(Real(logits[a.choices])) - Real(a.returns[n]);
        for (int i = 0; i < a.choices; ++i) {
            const double p = double_exponential(Real(logits[i]) - largest) / total;
            const double log_p = p > 0 ? Real(logits[i]) - normalizer : 0;
            double slope = -advantage * ((i == action ? 1.0 : 0.0) - p);
            slope += a.concentration * 2 * p * (p - concentration);
            slope += a.entropy * p * (log_p + entropy);
            grad[i] = Real(slope * a.scale);
        }
        grad[a.choices] = Real(2 * a.value * error * a.scale);
        sums[0] = -(Real(logits[action]) - normalizer) * advantage;
        sums[1] = error * error;
        sums[2] = entropy;
        sums[3] = concentration;
    }
    for (int i = 0; i < LOSS_SUMS; ++i) {
        const double sum = halved_sum(sums[i], shared_doubles());
        if (thread_index() == 0) a.partials[(long long)block_index() * LOSS_SUMS + i] = sum;
        barrier(62);
    }
}
