// Choices from lists, all independent: a softmax over the logits of each. So the probability of all is the product, and
// so is Σ_a π(a)².

struct Categorical {
    // One list.
    struct List {
        Softmax policy;
        double entropy, concentration;

        STPN_DEVICE List(Global<const Real> logits, int choices) : policy(logits, choices) {
            policy.measure(entropy, concentration);
        }
    };

    const PolicyOperands& p;
    const DistributionStep& step;
    // Most policies have no other list, and need not compute it again for the gradient.
    const List first;

    STPN_DEVICE Categorical(const PolicyOperands& p_, const DistributionStep& step_)
        : p(p_), step(step_), first(step_.now.head, p_.choices[0]) {}

    // The list that is number `d`, whose logits begin at `start`.
    STPN_DEVICE List list(int d, int start) const {
        return d == 0 ? first : List(step.now.head + start, p.choices[d]);
    }
    // The same list's softmax in the distribution that acted. Without one, what stands for it is not used.
    STPN_DEVICE Softmax old(int d, int start) const {
        const int choices = p.choices[d];
        return step.has_old ? Softmax(step.old.head + start, choices) : Softmax(step.now.head + start, 1);
    }
    STPN_DEVICE int chosen(int d) const {
        return static_cast<int>(static_cast<unsigned int>(p.actions[step.action * p.dims + d]));
    }

    STPN_DEVICE Terms terms() const {
        Terms all = {0, 0, 1, 0};
        for (int d = 0, start = 0; d < p.dims; ++d) {
            const List own = list(d, start);
            all.log_prob += own.policy.log_probability(chosen(d));
            all.entropy += own.entropy;
            all.concentration *= own.concentration;
            if (step.has_old) {
                const Softmax before = old(d, start);
                double kl = 0;
                for (int i = 0; i < own.policy.choices; ++i)
                    kl += before.probability(i) * (before.log_probability(i) - own.policy.log_probability(i));
                all.kl += kl;
            }
            start += own.policy.choices;
        }
        return all;
    }

    STPN_DEVICE void gradient(const Terms& terms, const Terms& by, const DistributionGradient& grad) const {
        for (int d = 0, start = 0; d < p.dims; ++d) {
            const List own = list(d, start);
            const Softmax before = old(d, start);
            const int action = chosen(d);
            // Never below 1 / choices, so that the others' product is a quotient.
            const double by_concentration = by.concentration * (terms.concentration / own.concentration);
            for (int i = 0; i < own.policy.choices; ++i) {
                const double probability = own.policy.probability(i);
                double slope = by.log_prob * Softmax::log_slope(probability, i == action);
                slope += by_concentration * 2 * probability * (probability - own.concentration);
                slope -= by.entropy * probability * own.policy.entropy_slope(i, probability, own.entropy);
                if (step.has_old) slope += by.kl * (probability - before.probability(i));
                grad.set(start + i, slope);
            }
            start += own.policy.choices;
        }
    }
};
