// Operands of a step of the optimiser, and of norms of its arrays.

struct NormOperands {
    long long len;
    Global<const Real> values;
    Global<double> partials;       // [blocks], sums of squares
    Global<double> norms;          // [2], of the gradients and then of the parameters
    int blocks;
    int which;                     // of these norms
};

// Of a piece of the parameters.
struct AdamOperands {
    long long first, len;
    Global<Real> parameters;
    Global<const Real> gradients;
    Global<Real> first_moment;
    Global<Real> second_moment;
    Global<const double> norms;    // [2], of which the first is that of the gradients
    double max_norm;               // gradients are scaled down to it; infinity: they are not
    Real beta1, beta2;
    Real rate;                     // learning rate / (1 − beta1^step)
    Real root_correction;          // 1 / √(1 − beta2^step)
    Real epsilon;
    Real factor;                   // of what a step adds; 1: all of it, bit for bit
    Real limit;                    // values are put back into 0..limit; below 0: they are not
};
