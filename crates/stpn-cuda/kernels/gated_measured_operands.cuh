// Operands of a sequence of LSTM, GRU or RNN whose energy is measured.

struct GatedMeasured {
    GatedOperands sequence;
    GatedInputs inputs;
    EnergyOperands energy;
};
