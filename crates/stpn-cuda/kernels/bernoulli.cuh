// Independent switches: each on with a probability of its own, the logistic function of its logit.

struct Bernoulli {
    const PolicyOperands& p;
    const DistributionStep& step;

    STPN_DEVICE Bernoulli(const PolicyOperands& p_, const DistributionStep& step_) : p(p_), step(step_) {}

    STPN_DEVICE static double probability(double logit) { return 1 / (1 + double_exponential(-logit)); }

    // Σ π² over on and off.
    STPN_DEVICE static double concentration(double on) { return on * on + (1 - on) * (1 - on); }

    STPN_DEVICE bool is_on(int d) const {
        return static_cast<unsigned int>(p.actions[step.action * p.dims + d]) == 1;
    }

    STPN_DEVICE Terms terms() const {
        Terms all = {0, 0, 1, 0};
        for (int d = 0; d < p.dims; ++d) {
            const double logit = step.now[d], on = probability(logit);
            // ln p = −softplus(−l), ln (1 − p) = −softplus(l).
            all.log_prob += -double_softplus(is_on(d) ? -logit : logit);
            all.entropy += double_softplus(logit) - logit * on;
            all.concentration *= concentration(on);
            if (step.has_old) {
                const double old = step.old[d];
                all.kl += probability(old) * (old - logit) + double_softplus(logit) - double_softplus(old);
            }
        }
        return all;
    }

    STPN_DEVICE void gradient(const Terms& terms, const Terms& by, const DistributionGradient& grad) const {
        for (int d = 0; d < p.dims; ++d) {
            const double logit = step.now[d], on = probability(logit), slope = on * (1 - on);
            double sum = by.log_prob * ((is_on(d) ? 1.0 : 0.0) - on);
            sum -= by.entropy * logit * slope;
            // Never below ½, so that the others' product is a quotient.
            sum += by.concentration * terms.concentration / concentration(on) * (4 * on - 2) * slope;
            if (step.has_old) sum += by.kl * (on - probability(step.old[d]));
            grad.set(d, sum);
        }
    }
};
