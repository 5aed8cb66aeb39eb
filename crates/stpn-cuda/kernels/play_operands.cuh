// Operands of a rollout, whatever its environments are. If not said otherwise, arrays of B environments have an
// environment's steps one after another. An action is a choice from each of D lists, which have A choices in all.

struct PlayOperands {
    int steps, batch;
    int choices, lists;                 // A and D
    Global<const int> among;            // [D] choices of each list
    Global<const unsigned char> resets;  // [B], 1 where the first step is that of an episode
    Global<const Real> heads;           // weights [A + 1, H], biases [A + 1]: a logit of each choice, then the value
    Global<const double> uniform;       // [B, T, D], one for each choice
    Global<unsigned int> actions;       // [B, T, D]; the first is A if the environment could not take it
    Global<Real> log_probs;             // [B, T]
    Global<Real> outputs;               // [B, T, A + 1], of the heads
    Global<Real> next;                  // [B, O], what follows the last step; O is I without an encoder
    Global<Real> observed;              // [T, B, O], of which the first row is given; null: it is not kept
    Global<unsigned char> started;      // [T, B], the same for starts of episodes
    EnergyOperands energy;
    EncoderOperands encoder;
};
