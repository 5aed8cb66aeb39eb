// Games on a device: the rules of `stpn_envs::popgym`, with deals that were made before.

enum GameKind { BATTLESHIP, CONCENTRATION, MINE_SWEEPER, MULTIARMED_BANDIT, LABYRINTH_ESCAPE, LABYRINTH_EXPLORE };

// An environment's state: the number of its deal, steps of the episode, whether it has just begun, the element that a
// board or a labyrinth shows beside its squares, what is counted, a card or a square, two cards to be turned back (−1:
// none), the action before; then a number for each card or square.
enum {
    GAME_DEAL,
    GAME_STEP,
    GAME_START,
    GAME_SEEN,
    GAME_COUNT,
    GAME_PLACE,
    GAME_BACK,
    GAME_ACTION = GAME_BACK + 2,
    GAME_TABLE = GAME_ACTION + 2
};

// Squares of a labyrinth, and what is shown in place of a move at the start. Behind its squares, a deal has the square
// of the entrance and the number of free squares.
enum { LABYRINTH_WALL = 1, LABYRINTH_GOAL = 3, LABYRINTH_MOVES = 4, LABYRINTH_SEEN = 9 };

// The games of a block. Each belongs to one thread, which plays it: number 0 to the first one.
struct Games {
    typedef GameOperands Operands;
    static constexpr int OWN = 0, CHOICES = 0;
    const PlayOperands& p;
    const GameOperands& g;
    const int first;

    STPN_DEVICE Games(const PlayOperands& p_, const GameOperands& g_, int first_, int, Shared)
        : p(p_), g(g_), first(first_) {}

    STPN_DEVICE static int choices(const PlayOperands& p) { return p.choices; }

    STPN_DEVICE Global<int> state(int env) const { return g.states + (long long)env * g.state_len; }
    STPN_DEVICE Global<const int> deal(int env) const {
        return g.dealt + ((long long)env * g.deals + state(env)[GAME_DEAL]) * g.deal_len;
    }

    // As the last move left it.
    STPN_DEVICE bool starts_at(int, int e) const { return state(first + e)[GAME_START] != 0; }

    // Takes an action, whose choices are `chosen`; the first one is given as well. False if no deal is left.
    STPN_DEVICE bool move(int t, int choice, Global<unsigned int> chosen) const {
        const int env = first + thread_index();
        const Global<int> s = state(env);
        const int step = s[GAME_STEP] + 1;
        s[GAME_STEP] = step;
        bool won = false;
        double reward = 0;
        if (g.kind == BATTLESHIP)
            reward = shoot(s, deal(env), choice * g.side + int(chosen[1]), won);
        else if (g.kind == CONCENTRATION)
            reward = flip(s, deal(env), choice, won);
        else if (g.kind == MINE_SWEEPER)
            reward = uncover(s, deal(env), choice, int(chosen[1]), won);
        else if (g.kind == MULTIARMED_BANDIT)
            reward = pull(s, g.luck[(long long)env * p.steps + t] < deal(env)[choice]);
        else
            reward = walk(s, deal(env), choice, won);
        g.rewards[(long long)env * p.steps + t] = Real(reward);
        s[GAME_ACTION] = choice;
        s[GAME_ACTION + 1] = p.lists > 1 ? int(chosen[1]) : 0;
        s[GAME_START] = 0;
        return won || step >= g.limit ? start(s, env) : true;
    }

    // The first state of the next deal; false if there is none.
    STPN_DEVICE bool start(Global<int> s, int env) const {
        const int next = s[GAME_DEAL] + 1;
        if (next == g.deals) return false;
        s[GAME_DEAL] = next;
        for (int at = GAME_STEP; at < g.state_len; ++at) s[at] = at >= GAME_PLACE && at < GAME_ACTION ? -1 : 0;
        s[GAME_START] = 1;
        if (g.kind == CONCENTRATION)
            for (int at = GAME_TABLE; at < g.state_len; ++at) s[at] = g.face_down;
        if (g.kind != LABYRINTH_ESCAPE && g.kind != LABYRINTH_EXPLORE) return true;
        const int entrance = deal(env)[g.side * g.side];
        s[GAME_PLACE] = entrance;
        s[GAME_SEEN] = LABYRINTH_MOVES;
        if (g.kind == LABYRINTH_EXPLORE) s[GAME_TABLE + entrance] = 1;
        return true;
    }

    // Rewards: for a hit, for a miss.
    STPN_DEVICE double shoot(Global<int> s, Global<const int> ships, int square, bool& won) const {
        const bool hit = ships[square] && !s[GAME_TABLE + square];
        s[GAME_TABLE + square] = 1;
        s[GAME_SEEN] = hit ? 1 : 0;
        const int hits = s[GAME_COUNT] + (hit ? 1 : 0);
        s[GAME_COUNT] = hits;
        won = hits == g.goal;
        return g.reward[hit ? 0 : 1];
    }

    // For a pair, for one card without, for two.
    STPN_DEVICE double flip(Global<int> s, Global<const int> cards, int card, bool& won) const {
        for (int at = GAME_BACK; at < GAME_BACK + 2; ++at) {
            const int back = s[at];
            if (back >= 0) s[GAME_TABLE + back] = g.face_down;
            s[at] = -1;
        }
        const int other = s[GAME_PLACE], kind = cards[card];
        const bool found_before = s[GAME_TABLE + card] != g.face_down && card != other;
        s[GAME_TABLE + card] = kind;
        s[GAME_PLACE] = -1;
        if (found_before) {
            s[GAME_BACK] = other;
            return g.reward[other < 0 ? 1 : 2];
        }
        if (other < 0) {
            s[GAME_PLACE] = card;
            return 0;
        }
        if (other != card && s[GAME_TABLE + other] == kind) {
            const int found = s[GAME_COUNT] + 2;
            s[GAME_COUNT] = found;
            won = found == g.goal;
            return g.reward[0];
        }
        s[GAME_BACK] = other;
        s[GAME_BACK + 1] = card;
        return g.reward[2];
    }

    // For a new square, for one seen before, for a mine.
    STPN_DEVICE double uncover(Global<int> s, Global<const int> mines, int row, int column, bool& over) const {
        int around = 0;
        for (int r = row - 1; r <= row + 1; ++r)
            for (int c = column - 1; c <= column + 1; ++c)
                if (r >= 0 && c >= 0 && r < g.side && c < g.side) around += mines[r * g.side + c];
        s[GAME_SEEN] = around;
        const int square = row * g.side + column;
        if (mines[square]) {
            over = true;
            return g.reward[2];
        }
        if (s[GAME_TABLE + square]) return g.reward[1];
        s[GAME_TABLE + square] = 1;
        const int cleared = s[GAME_COUNT] + 1;
        s[GAME_COUNT] = cleared;
        over = cleared == g.goal;
        return g.reward[0];
    }

    // If the machine paid, if not.
    STPN_DEVICE double pull(Global<int> s, bool paid) const {
        s[GAME_SEEN] = paid ? 1 : 0;
        return g.reward[paid ? 0 : 1];
    }

    // For the exit, for any other step; a new square brings its share of all.
    STPN_DEVICE double walk(Global<int> s, Global<const int> squares, int direction, bool& won) const {
        const int from = s[GAME_PLACE];
        int row = from / g.side, column = from % g.side;
        if (direction == 0 && column > 0) --column;
        if (direction == 1 && column + 1 < g.side) ++column;
        if (direction == 2 && row > 0) --row;
        if (direction == 3 && row + 1 < g.side) ++row;
        const int to = row * g.side + column, place = squares[to] == LABYRINTH_WALL ? from : to;
        s[GAME_PLACE] = place;
        s[GAME_SEEN] = direction;
        if (g.kind == LABYRINTH_ESCAPE) {
            won = squares[place] == LABYRINTH_GOAL;
            return g.reward[won ? 0 : 1];
        }
        if (s[GAME_TABLE + place]) return g.reward[1];
        s[GAME_TABLE + place] = 1;
        const int visited = s[GAME_COUNT] + 1, free = squares[g.side * g.side + 1];
        s[GAME_COUNT] = visited;
        won = visited == free;
        return 1.0 / double(free);
    }

    // An input after a move.
    STPN_DEVICE Real observed(int, int e, int input) const {
        return element(first + e, g.shown[2 * input]) == g.shown[2 * input + 1] ? Real(1) : Real(0);
    }

    STPN_DEVICE int element(int env, int at) const {
        const Global<int> s = state(env);
        if (at >= g.own + g.previous) return s[GAME_START];
        if (at >= g.own) return s[GAME_ACTION + at - g.own];
        if (g.kind == CONCENTRATION) return s[GAME_TABLE + at];
        const bool walks = g.kind == LABYRINTH_ESCAPE || g.kind == LABYRINTH_EXPLORE;
        if (!walks || at == LABYRINTH_SEEN) return s[GAME_SEEN];
        // In the first row or column, the squares begin with the agent's own, as in the package.
        const int row = s[GAME_PLACE] / g.side, column = s[GAME_PLACE] % g.side;
        const int r = (row ? row - 1 : 0) + at / 3, c = (column ? column - 1 : 0) + at % 3;
        const bool within = r <= row + 1 && r < g.side && c <= column + 1 && c < g.side;
        return within ? int(deal(env)[r * g.side + c]) : int(LABYRINTH_WALL);
    }
};
