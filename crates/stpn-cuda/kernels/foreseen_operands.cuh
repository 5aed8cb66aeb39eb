// Operands of a rollout in environments of which everything is known that they will show, but for the action before.

struct ForeseenOperands {
    int echo;                           // first of the A inputs that show the action before, one-hot
    Global<const Real> observations;    // [T, B, I], what follows each step
    Global<const unsigned char> starts;  // [T, B], 1 if that is the first observation of another episode
};
