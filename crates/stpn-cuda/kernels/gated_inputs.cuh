// Inputs of LSTM, GRU or RNN, and where their weights lie.

struct GatedInputs {
    Global<const Real> x;               // [T, B, I], of a rollout [B, I] of the first step
    long long first, by_row, by_column;  // place of the matrix of inputs [gate rows, I]
};
