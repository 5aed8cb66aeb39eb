// Operands of the mazes of a rollout. If not said otherwise, arrays of B environments have an environment's steps one
// after another.

struct PlayOperands {
    int steps, batch;
    int size, view_radius, episode_length;
    int free_len;                       // free cells
    int draws_len;                      // drawn words of an environment
    double reward, wall_penalty;
    Global<const unsigned char> resets;  // [B], 1 where the first step is that of an episode
    Global<const Real> heads;           // weights [5, H], biases [5]: four logits and a value
    Global<const double> uniform;       // [B, T], one for each action
    Global<const unsigned long long> draws;  // [B, draws_len], for the mazes
    Global<const unsigned char> walls;  // [size, size], 1 for a wall
    Global<const int> free_cells;       // [free_len], row * size + column
    Global<const int> mazes;            // [B, 3]: the agent's cell, the goal among the free cells, the step
    Global<unsigned int> actions;       // [B, T]; 4 if the drawn words did not suffice
    Global<Real> log_probs;             // [B, T]
    Global<Real> rewards;               // [B, T]
    Global<Real> outputs;               // [B, T, 5], of the heads
    Global<Real> next;                  // [B, I], what follows the last step
    Global<Real> observed;              // [T, B, I], of which the first row is given; null: it is not kept
    Global<unsigned char> started;      // [T, B], the same for starts of episodes
    EnergyOperands energy;
};
