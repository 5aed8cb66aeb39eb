// Operands of one pass of a reduction.

struct ReduceOperands {
    Global<const Real> values;  // [rows, len]
    Global<Real> sums;          // [ceil(rows / fan), len]
    int rows, fan;
    long long len;
    int tiles;                  // blocks for a row of sums
};
