// Operands of generalised advantage estimation. If not said otherwise, arrays are [T, B].

struct AdvantageOperands {
    int steps, batch;
    double gamma, lambda;
    Global<const Real> rewards;
    Global<const Real> values;              // of step t and environment e at first + t * by_step + e * by_environment
    long long first, by_step, by_environment;
    Global<const Real> last_values;         // [B], after the last step
    Global<const unsigned char> terminated;  // 1 where nothing follows
    Global<const unsigned char> truncated;   // 1 where an episode was cut off after the step
    Global<const Real> final_values;        // of what followed then
    Global<Real> advantages;
    Global<Real> returns;                   // advantages + values
};
