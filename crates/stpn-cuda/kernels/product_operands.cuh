// Operands of a matrix product: any rows and columns of packed arrays.

// Element (row, column) lies at first + row * by_row + column * by_column.
struct Operand {
    Global<const Real> values;
    long long first, by_row, by_column;
};

// The result is scale * nonlinearity(left right + bias), or parts of the sums without any of them.
struct ProductOperands {
    int rows, columns;             // of the result
    long long depth;               // terms of each sum
    long long part;                // those of one block; blocks of different parts do not add up to one result
    Operand left;                  // [rows, depth]
    Operand right;                 // [depth, columns]
    Global<const Real> activity;   // left is multiplied by the slope of the nonlinearity there; null: it is not
    Global<const Real> bias;       // of the columns, from `bias_first` on; null: there is none
    long long bias_first;
    int nonlinearity;              // of the result, or of `activity`
    int ones;                      // right has ones in its last column, which is not in memory
    Global<Real> out;              // element (row, column) of a part as in `Operand`
    long long out_first, out_by_row, out_by_column;
    long long out_part;            // from part to part
    long long ones_first;          // the results of the column of ones lie here, one after another
    double scale;                  // of the result, or of `activity`
};
