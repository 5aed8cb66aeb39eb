// Operands of a sequence of LSTM, GRU or RNN. Layouts are the cells': hidden [T, B, H], states [B, S] (h, then the
// LSTM's c), resets [T, B]; rows of gates in the order of the packed matrices.

struct GatedOperands {
    int steps, batch;
    Global<const Real> parameters;
    long long recurrent, recurrent_row, recurrent_column;  // place of the recurrent matrix [gate rows, H]
    long long second_bias;               // what is added to its product; −1: there is none
    long long norm;                      // gain and offset of the layer norm; −1: there is none
    Global<Real> weights;                // [H, gate rows], the recurrent matrix laid out for the pass
    Global<const unsigned char> resets;  // 1 where an episode starts; null: nowhere
    Global<const Real> start;
    Global<Real> end;
    Global<Real> hidden;
    Global<Real> gates;                  // [T, B, gate rows]; forward, in: from inputs, with their bias; out: as used
    Global<Real> before;                 // [T, B, H], h before each step; null: no backward pass follows
    Global<Real> memory;                 // [T, B, H], the LSTM's c before each step, the GRU's n from activities
    Global<Real> normal;                 // [T, B, gate rows], normalised pre-activations
    Global<Real> deviation;              // [T, B], 1/deviation
    Global<const Real> grad_hidden;
    Global<Real> grad_state;             // in: of the final state; out: of the initial one
    Global<Real> grad_gates;             // [T, B, gate rows], of what comes from inputs
    Global<Real> grad_new;               // [T, B, H], of the GRU's n from activities
    Global<Real> grad_norm;              // [blocks, 2, gate rows], of gain and offset
};
