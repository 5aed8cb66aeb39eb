// Operands of generalised advantage estimation. If not said otherwise, arrays are [L, N]: the T steps of each of B
// environments are divided into sequences of L steps, of which the last may be shorter.

struct AdvantageOperands {
    int steps, batch;                       // T and B
    int length;                             // L
    long long columns;                      // N
    Global<const int> sequences;            // [B, 2]: an environment's first sequence, and how far it is to the next;
                                            // null: it has one, with its own number
    double gamma, lambda;
    Global<const Real> rewards;
    Global<const Real> values;              // of step t and environment e at first + t * by_step + e * by_environment
    long long first, by_step, by_environment;  // if it has one sequence
    Global<const Real> last_values;         // [B], after the last step
    Global<const unsigned char> terminated;  // 1 where nothing follows
    Global<const unsigned char> truncated;   // 1 where an episode was cut off after the step
    Global<const Real> final_values;        // of what followed then
    Global<Real> advantages;
    Global<Real> returns;                   // advantages + values
};
