// Operands of a sequence. Layouts are the cells': x [T, B, I], hidden [T, B, H], states [B, S], resets [T, B].

struct Operands {
    int steps, batch;
    int every;                          // steps from checkpoint to checkpoint, which is a segment
    int slots_in_shared;                // backward: fast weights of a segment lie in shared memory
    int group;                          // backward: environments of one block, one after another
    Global<const Real> parameters;
    Global<const Real> x;
    Global<const unsigned char> resets;  // 1 where an episode starts; null: nowhere
    Global<const Real> start;
    Global<Real> end;                   // forward: the final state; null: not wanted
    Global<Real> hidden;
    Global<Real> records;               // [T, B, fields, H]; null: no backward pass follows
    Global<Real> checkpoints;           // [ceil(T / every), B, matrices, padded]
    Global<const Real> grad_hidden;
    Global<Real> grad_state;            // in: of the final state; out: of the initial one
    Global<Real> grad_x;                // null: not wanted
    Global<Real> partials;              // [ceil(B / group), parameters], gradients
    Global<Real> scratch;               // per block, what its place asks for
    long long scratch_len;              // of one block
};
