// Operands of bytes as numbers.

struct BytesOperands {
    long long len;
    Global<const unsigned char> bytes;
    Global<Real> numbers;
    Real factor, summand;           // byte * factor + summand
};
