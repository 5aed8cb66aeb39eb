// Softmax over the logits of discrete actions, in double precision as on the CPU.

struct Softmax {
    const Global<const Real> logits;
    const int choices;
    double largest, total, normalizer;

    STPN_DEVICE Softmax(Global<const Real> logits_, int choices_) : logits(logits_), choices(choices_), total(0) {
        largest = Real(logits[0]);
        for (int i = 1; i < choices; ++i) {
            const double logit = Real(logits[i]);
            if (logit > largest) largest = logit;
        }
        // A logit that is not a number is found in this sum.
        for (int i = 0; i < choices; ++i) total += double_exponential(Real(logits[i]) - largest);
        normalizer = largest + double_logarithm(total);
    }
    STPN_DEVICE double probability(int i) const { return double_exponential(Real(logits[i]) - largest) / total; }
    STPN_DEVICE double log_probability(int i) const { return Real(logits[i]) - normalizer; }

    // H(π) and Σ π².
    STPN_DEVICE void measure(double& entropy, double& concentration) const {
        entropy = concentration = 0;
        for (int i = 0; i < choices; ++i) {
            const double p = probability(i);
            entropy -= p * log_probability(i);
            concentration += p * p;
        }
    }
    // ∂ log π(action) / ∂ logit i.
    STPN_DEVICE static double log_slope(double p, bool chosen) { return (chosen ? 1.0 : 0.0) - p; }
    // −∂ H / ∂ logit i, but for a factor p.
    STPN_DEVICE double entropy_slope(int i, double p, double entropy) const {
        return (p > 0 ? log_probability(i) : 0) + entropy;
    }
};
