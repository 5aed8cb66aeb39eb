// Operands of a rollout of LSTM, GRU or RNN.

struct GatedRollout {
    GatedOperands sequence;             // gates are written only, if they are kept
    Global<const Real> x;               // [B, I] of the first step
    long long input, input_row, input_column;  // place of the matrix of inputs [gate rows, I]
    long long bias;                     // what is added to its product
    PlayOperands play;
};
