// Operands of the mazes of a rollout.

struct MazeOperands {
    int size, view_radius, episode_length;
    int free_len;                       // free cells
    int draws_len;                      // drawn words of an environment
    double reward, wall_penalty;
    Global<const unsigned long long> draws;  // [B, draws_len], for the mazes
    Global<const unsigned char> walls;  // [size, size], 1 for a wall
    Global<const int> free_cells;       // [free_len], row * size + column
    Global<const int> mazes;            // [B, 3]: the agent's cell, the goal among the free cells, the step
    Global<Real> rewards;               // [B, T]
};
