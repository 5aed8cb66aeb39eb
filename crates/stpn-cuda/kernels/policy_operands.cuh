// What a loss is given of a policy: the distributions of its actions, the actions, and the outputs of the heads with
// their gradient. N steps in the order of the loss.

enum { DISTRIBUTION_CATEGORICAL, DISTRIBUTION_BERNOULLI, DISTRIBUTION_GAUSSIAN };

struct PolicyOperands {
    int kind;                            // of the distribution
    int dims;                            // A: lists of choices, switches or dimensions
    int len;                             // P: parameters of one distribution
    int head_len;                        // the head puts out the first so many of them; the others are free
    int softplus;                        // a Gaussian's deviations: softplus of its parameters, plus `least`; 0: e to them
    double least;
    Global<const int> choices;           // [A] in each list
    Global<const double> log_halves;     // [A] ln of half the width that a Gaussian is squashed into; null: it is not
    Global<const unsigned int> actions;  // [N, A] choices or switches
    Global<const Real> draws;            // [N, A] of a Gaussian
    Global<const Real> outputs;          // [N, head_len + 1], the last is the value; [N, head_len] with `values`
    Global<const Real> values;           // [N] of a critic of its own; null: they are among the outputs
    Global<const Real> free;             // [P - head_len] parameters that no head puts out
    Global<Real> grad;                   // of the outputs
    Global<Real> grad_values;            // of `values`
    Global<Real> grad_free;              // [N, P - head_len] of the free ones, step by step
};
