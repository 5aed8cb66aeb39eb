// Operands of a rollout in mazes. All arrays of B environments have an environment's steps one after another.

struct PlayOperands {
    Operands sequence;                  // x and resets have those of the first step; null for hidden: it is not kept
    int size, view_radius, episode_length;
    int free_len;                       // free cells
    int draws_len;                      // drawn words of an environment
    int energy_first, energy_every;     // energy is measured at these steps
    int energy_batch;                   // of so many environments, the first ones
    double reward, wall_penalty;
    Global<const Real> heads;           // weights [5, H], biases [5]: four logits and a value
    Global<const double> uniform;       // [B, T], one for each action
    Global<const unsigned long long> draws;  // [B, draws_len], for the mazes
    Global<const unsigned char> walls;  // [size, size], 1 for a wall
    Global<const int> free_cells;       // [free_len], row * size + column
    Global<const int> mazes;            // [B, 3]: the agent's cell, the goal among the free cells, the step
    Global<const Real> energy_mask;     // [I]; null: all inputs count
    Global<unsigned int> actions;       // [B, T]; 4 where the drawn words did not suffice
    Global<Real> log_probs;             // [B, T]
    Global<Real> rewards;               // [B, T]
    Global<Real> outputs;               // [B, T, 5], of the heads
    Global<Real> next;                  // [B, I], what follows the last step
    Global<Real> observed;              // [T, B, I], the x of `sequence` with what follows; null: it is not kept
    Global<unsigned char> started;      // [T, B], its resets with those that follow; null: they are not kept
    Global<Real> energy;                // [samples, energy_batch, H]; null: not measured
};
