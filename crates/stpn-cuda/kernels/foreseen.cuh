// Environments whose observations, and ends of episodes, were found out in advance: the world of a rollout in which
// nothing depends on actions but what shows the action before.

struct Foreseen {
    typedef ForeseenOperands Operands;
    static constexpr int OWN = 1, CHOICES = 0;
    const PlayOperands& p;
    const ForeseenOperands& foreseen;
    const int first;
    const Shared taken;  // [here], the action before

    STPN_DEVICE Foreseen(const PlayOperands& p_, const ForeseenOperands& foreseen_, int first_, int, Shared memory)
        : p(p_), foreseen(foreseen_), first(first_), taken(memory) {}

    STPN_DEVICE static int choices(const PlayOperands& p) { return p.choices; }

    STPN_DEVICE bool starts_at(int t, int e) const {
        return foreseen.starts[(long long)(t - 1) * p.batch + first + e] != 0;
    }

    // Notes what was done: what it brings is known where the environments are.
    STPN_DEVICE bool move(int, int action, Global<unsigned int>) const {
        taken[thread_index()] = Real(action);
        return true;
    }

    // No action led to the first observation of an episode, so that it is shown as it is known.
    STPN_DEVICE Real observed(int t, int e, int input) const {
        const int choice = input - foreseen.echo;
        if (choice >= 0 && choice < p.choices && !starts_at(t, e))
            return choice == int(Real(taken[e])) ? Real(1) : Real(0);
        return foreseen.observations[((long long)(t - 1) * p.batch + first + e) * shown(p) + input];
    }
};
