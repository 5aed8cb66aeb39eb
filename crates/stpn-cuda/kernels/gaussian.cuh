// Continuous actions: a normal distribution per dimension, all independent, whose draws may be squashed into a space by
// tanh. The parameters are the means, then what gives the standard deviations.

struct Gaussian {
    // One dimension: mean, standard deviation, and its derivative in the parameter.
    struct Normal {
        double mean, std, slope;
    };
    // E ln(1 − tanh² u) over u ~ N(mean, std²), and its derivatives in both.
    struct Squashing {
        double value, by_mean, by_std;
    };

    const PolicyOperands& p;
    const DistributionStep& step;

    STPN_DEVICE Gaussian(const PolicyOperands& p_, const DistributionStep& step_) : p(p_), step(step_) {}

    STPN_DEVICE Normal normal(const DistributionParameters& parameters, int d) const {
        const double mean = parameters[d], raw = parameters[p.dims + d];
        if (p.softplus) return {mean, double_softplus(raw) + p.least, 1 / (1 + double_exponential(-raw))};
        const double std = double_exponential(raw);
        return {mean, std, std};
    }
    STPN_DEVICE double draw(int d) const { return Real(p.draws[step.action * p.dims + d]); }

    // ½ ln 2π
    STPN_DEVICE static double half_log_circle() { return 0.91893853320467274178; }

    // ln(1 − tanh² u), the logarithm of the slope of tanh.
    STPN_DEVICE static double log_slope(double u) {
        return 2 * (0.69314718055994530942 - u - double_softplus(-2 * u));
    }

    // Positive nodes of the 10-point Gauss–Hermite rule for the standard normal weight, and their weights.
    STPN_DEVICE static double node(int i) {
        return i == 0   ? 0.4849357075154976
               : i == 1 ? 1.465989094391158
               : i == 2 ? 2.484325841638955
               : i == 3 ? 3.581823483551927
                        : 4.859462828332313;
    }
    STPN_DEVICE static double weight(int i) {
        return i == 0   ? 0.3446423349320191
               : i == 1 ? 0.1354837029802677
               : i == 2 ? 0.01911158050077028
               : i == 3 ? 7.580709343122177e-4
                        : 4.310652630718287e-6;
    }
    STPN_DEVICE static Squashing squashing(const Normal& normal) {
        Squashing sum = {0, 0, 0};
        STPN_UNROLL
        for (int i = 0; i < 5; ++i) {
            for (int sign = 1; sign >= -1; sign -= 2) {
                const double at = sign * node(i), u = normal.mean + normal.std * at, slope = -2 * double_tangent(u);
                sum.value += weight(i) * log_slope(u);
                sum.by_mean += weight(i) * slope;
                sum.by_std += weight(i) * slope * at;
            }
        }
        return sum;
    }

    STPN_DEVICE Terms terms() const {
        Terms all = {0, 0, 0, 0};
        for (int d = 0; d < p.dims; ++d) {
            const Normal own = normal(step.now, d);
            const double u = draw(d), z = (u - own.mean) / own.std, log_std = double_logarithm(own.std);
            const double density = -0.5 * z * z - log_std - half_log_circle();
            all.log_prob += p.log_halves ? density - log_slope(u) - double(p.log_halves[d]) : density;
            all.entropy += log_std + half_log_circle() + 0.5;
            if (p.log_halves) all.entropy += double(p.log_halves[d]) + squashing(own).value;
            if (step.has_old) {
                const Normal old = normal(step.old, d);
                const double apart = old.mean - own.mean, distance = old.std * old.std + apart * apart;
                all.kl += double_logarithm(own.std / old.std) + distance / (2 * own.std * own.std) - 0.5;
            }
        }
        return all;
    }

    STPN_DEVICE void gradient(const Terms&, const Terms& by, const DistributionGradient& grad) const {
        for (int d = 0; d < p.dims; ++d) {
            const Normal own = normal(step.now, d);
            const double z = (draw(d) - own.mean) / own.std;
            double by_mean = by.log_prob * z / own.std, by_std = (by.log_prob * (z * z - 1) + by.entropy) / own.std;
            if (p.log_halves && by.entropy != 0) {
                const Squashing slopes = squashing(own);
                by_mean += by.entropy * slopes.by_mean;
                by_std += by.entropy * slopes.by_std;
            }
            if (step.has_old) {
                const Normal old = normal(step.old, d);
                const double apart = old.mean - own.mean, distance = old.std * old.std + apart * apart;
                by_mean += by.kl * (own.mean - old.mean) / (own.std * own.std);
                by_std += by.kl * (1 / own.std - distance / (own.std * own.std * own.std));
            }
            grad.set(d, by_mean);
            grad.set(p.dims + d, by_std * own.slope);
        }
    }
};
