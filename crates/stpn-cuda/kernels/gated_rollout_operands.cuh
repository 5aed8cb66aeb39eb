// Operands of a rollout of LSTM, GRU or RNN.

template <class World> struct GatedRollout {
    GatedOperands sequence;             // gates are written only, if they are kept
    GatedInputs inputs;
    long long bias;                     // what is added to the product with the inputs
    PlayOperands play;
    World world;                        // of its environments
};
