// Operands of the energy of dense layers.

struct DenseEnergyOperands {
    long long squares_len, magnitudes_len;
    int input;                      // I
    Global<const Real> x;           // [N, I]
    Global<const Real> mask;        // [I]; null: all inputs count
    Global<const Real> parameters;  // of which the weights come first
    Global<Real> squares;           // [N, I]
    Global<Real> magnitudes;        // [O, I]
};
