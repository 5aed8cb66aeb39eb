// Operands of PPO's loss, all in one order.

struct PpoOperands {
    long long steps;                     // N
    PolicyOperands policy;
    Global<const Real> advantages;       // [N]
    Global<const Real> returns;          // [N], targets of the value
    Global<const Real> log_probs;        // [N], of the actions under the policy that took them
    Global<const Real> values;           // [N], of that policy
    Global<const Real> behaviour;        // [N, P], its distributions; null: the divergence from them does not count
    Global<const unsigned char> counts;  // [N], 0 where a step has no loss; null: all have
    Global<double> partials;             // [blocks, 10], sums in the order of `PpoSums`
    double clip;                         // of the ratio, around 1
    double value_clip;                   // of the change of the value; below 0: it is not clipped
    double value_error_clamp;            // of the squared error; below 0: it is not limited
    double value, entropy, kl;           // coefficients
    double mean, inverse_deviation;      // by which advantages are standardised
    double scale;                        // of the gradient
};
