// Operands of a step of the optimiser, and of the norm of its gradients, which may lie in several arrays.

struct NormOperands {
    long long len;
    Global<const Real> values;
    Global<double> partials;       // [blocks], sums of squares
    Global<double> norm;           // [1]
    int first;                     // block of the first values of this array
    int blocks;                    // of all arrays
};

struct AdamOperands {
    long long len;
    Global<Real> parameters;
    Global<const Real> gradients;
    Global<Real> first_moment;
    Global<Real> second_moment;
    Global<const double> norm;     // [1], of the gradients
    double max_norm;               // gradients are scaled down to it; infinity: they are not
    Real beta1, beta2;
    Real rate;                     // learning rate / (1 − beta1^step)
    Real root_correction;          // 1 / √(1 − beta2^step)
    Real epsilon;
};
