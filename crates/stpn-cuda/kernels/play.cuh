// A rollout: after each step of the network the heads, the actions, the moves, and what is seen next, through an encoder
// if there is one. One thread acts for an environment; all threads of the block write what is seen.
//
// `World` has the environments of a block, and `World::Operands` what the host says of them. It says how many
// `choices` there are (`CHOICES`, if that is not 0 and there is one list), and how much of shared memory it needs for
// each environment (`OWN`). It `move`s the environment of a thread with its action, if that can be taken. It knows
// whether an episode starts at a step (`starts_at`), and what is `observed` then.

// Numbers that an environment shows.
STPN_DEVICE int shown(const PlayOperands& p) { return p.encoder.layers ? p.encoder.shown : spec.input; }

template <class World> struct Play {
    const PlayOperands& p;
    const World world;
    const int first, here;  // environments of the block
    const Shared outputs;   // [places, A + 1], of the heads
    const Encoder encoder;

    // `memory` has room for so many environments; a block may have fewer. Number 0 of them belongs to the first thread.
    STPN_DEVICE Play(const PlayOperands& p_, const typename World::Operands& of_world, int first_, int here_,
                     int places, Shared memory)
        : p(p_), world(p_, of_world, first_, here_, memory), first(first_), here(here_),
          outputs(memory + places * World::OWN),
          encoder(p_.encoder, places, here_, memory + places * (World::OWN + World::choices(p_) + 1)) {}

    STPN_DEVICE static int shared_len(const PlayOperands& p, int places) {
        return places * (World::OWN + World::choices(p) + 1) + encoder_shared_len(p.encoder, places);
    }

    STPN_DEVICE bool starts_at(int t, int e) const { return t ? world.starts_at(t, e) : p.resets[first + e] != 0; }

    STPN_DEVICE bool encodes() const { return p.encoder.layers != 0; }
    STPN_DEVICE int lists() const { return World::CHOICES > 0 ? 1 : p.lists; }

    // What the network takes first, if an encoder makes it of `x` [B, O].
    template <class Network> STPN_DEVICE void begin(Global<const Real> x, const Network& network) const {
        if (!encodes()) return;
        const int len = shown(p);
        for (int at = thread_index(); at < here * len; at += spec.threads)
            encoder.show(at / len, at % len, x[(long long)first * len + at]);
        barrier(74);
        encoder.run(network);
    }

    // After step t. `network` has the activities, and takes what is seen next.
    template <class Network> STPN_DEVICE void turn(int t, bool last, const Network& network) const {
        const int thread = thread_index(), lane = thread % 32, len = World::choices(p) + 1;
        for (int from = 0; from < here * len; from += warps()) {
            const int at = from + thread / 32, e = at / len, output = at % len;
            Real sum = 0;
            if (e < here)
                for (int unit = lane; unit < spec.hidden; unit += 32)
                    sum = fused(p.heads[output * spec.hidden + unit], network.activity(e, unit), sum);
            sum = warp_sum(sum);
            if (e >= here || lane) continue;
            sum += p.heads[len * spec.hidden + output];
            outputs[at] = sum;
            p.outputs[((long long)(first + e) * p.steps + t) * len + output] = sum;
        }
        barrier(70);
        if (thread < here) {
            const long long at = (long long)(first + thread) * p.steps + t;
            const Global<unsigned int> chosen = p.actions + at * lists();
            const int choice = act(at, chosen);
            if (!world.move(t, choice, chosen)) chosen[0] = World::choices(p);
        }
        barrier(71);
        const int numbers = shown(p);
        for (int at = thread; at < here * numbers; at += spec.threads) {
            const int e = at / numbers, number = at % numbers, env = first + e;
            const Real value = world.observed(t + 1, e, number);
            if (last) {
                p.next[(long long)env * numbers + number] = value;
                continue;
            }
            if (encodes())
                encoder.show(e, number, value);
            else
                network.see(e, number, value);
            if (p.observed) p.observed[((long long)(t + 1) * p.batch + env) * numbers + number] = value;
        }
        if (!last) {
            if (p.started && thread < here)
                p.started[(long long)(t + 1) * p.batch + first + thread] = starts_at(t + 1, thread) ? 1 : 0;
            for (int at = thread; at < here * spec.hidden; at += spec.threads)
                if (starts_at(t + 1, at / spec.hidden)) network.forget(at / spec.hidden, at % spec.hidden);
        }
        barrier(72);
        if (encodes() && !last) encoder.run(network);
    }

    // Draws the action of this thread's environment, a choice from the softmax of the logits of each list, and returns
    // the first.
    STPN_DEVICE int act(long long at, Global<unsigned int> chosen) const {
        Shared logits = outputs + thread_index() * (World::choices(p) + 1);
        double log_prob = 0;
        int first_choice = 0;
        for (int list = 0; list < lists(); ++list) {
            const int choices = World::CHOICES > 0 ? World::CHOICES : int(p.among[list]);
            const int choice = choose(logits, choices, p.uniform[at * lists() + list], log_prob);
            chosen[list] = choice;
            if (!list) first_choice = choice;
            logits = logits + choices;
        }
        p.log_probs[at] = Real(log_prob);
        return first_choice;
    }

    // A choice, whose log-probability is added.
    STPN_DEVICE static int choose(Shared logits, int choices, double uniform, double& log_prob) {
        double largest = Real(logits[0]), total = 0;
        for (int i = 1; i < choices; ++i) {
            const double logit = Real(logits[i]);
            if (logit > largest) largest = logit;
        }
        // If their number is known to the compiler, weights are kept; else they are computed again.
        double weights[World::CHOICES > 0 ? World::CHOICES : 1];
        for (int i = 0; i < choices; ++i) {
            const double weight = double_exponential(Real(logits[i]) - largest);
            if constexpr (World::CHOICES > 0) weights[i] = weight;
            total += weight;
        }
        double left = uniform * total;
        int choice = 0;
        // Rounding may leave a residue after the last choice, which then takes it.
        for (; choice < choices - 1; ++choice) {
            if constexpr (World::CHOICES > 0)
                left -= weights[choice];
            else
                left -= double_exponential(Real(logits[choice]) - largest);
            if (left < 0) break;
        }
        log_prob += Real(logits[choice]) - (largest + double_logarithm(total));
        return choice;
    }
};
