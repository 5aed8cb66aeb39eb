// Operands of the loss of steps with discrete actions. Outputs and actions have an environment's steps one after
// another; all else is time-major.

struct LossOperands {
    int steps, batch, choices;
    Global<const Real> outputs;         // [B, T, choices + 1], logits and a value
    Global<const unsigned int> actions;  // [B, T]
    Global<const Real> advantages;      // [T, B]
    Global<const Real> returns;         // [T, B], targets of the value
    Global<const unsigned char> counts;  // [T, B], 0 where a step has no loss; null: all have
    Global<Real> grad;                  // [T, B, choices + 1], of the outputs
    Global<double> partials;            // [blocks, 4], sums: policy loss, squared error, entropy, concentration
    double value, entropy, concentration;  // coefficients
    double mean, inverse_deviation;     // by which advantages are standardised
    double scale;                       // of the gradient
};
