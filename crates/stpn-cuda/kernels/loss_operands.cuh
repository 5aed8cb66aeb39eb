// Operands of A2C's loss. What the policy gives has an environment's steps one after another; all else is time-major.

struct LossOperands {
    int steps, batch;
    PolicyOperands policy;                // outputs and actions [B, T, ...], gradients [T, B, ...]
    Global<const Real> advantages;        // [T, B]
    Global<const Real> returns;           // [T, B], targets of the value
    Global<const unsigned char> counts;   // [T, B], 0 where a step has no loss; null: all have
    Global<double> partials;              // [blocks, 4], sums: policy loss, squared error, entropy, concentration
    double value, entropy, concentration;  // coefficients
    double mean, inverse_deviation;       // by which advantages are standardised
    double scale;                         // of the gradient
};
