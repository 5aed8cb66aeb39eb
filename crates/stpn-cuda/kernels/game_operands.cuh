// Operands of the games of a rollout.

struct GameOperands {
    int kind;                           // `GameKind`
    int side;                           // rows and columns, where there is a board
    int limit;                          // steps after which an episode is cut off
    int goal;                           // what the count of an episode must reach
    int face_down;                      // what is seen of a card that lies so
    int own;                            // elements of an observation that are the game's own
    int previous;                       // those after them that show the action before
    int deals, deal_len;                // deals of an environment, and the length of one
    int state_len;                      // of an environment
    double reward[3];                   // as the game says
    Global<const int> shown;            // [O, 2]: an element of the observation, and the choice that makes this input 1
    Global<const int> dealt;            // [B, deals, deal_len], from that of the episode under way on
    Global<const int> luck;             // [B, T], of games that draw at each step; else null
    Global<int> states;                 // [B, state_len], as `GAME_DEAL` and those behind it say
    Global<Real> rewards;               // [B, T]
};
