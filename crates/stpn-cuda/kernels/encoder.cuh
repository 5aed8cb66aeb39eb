// An encoder within a rollout: what a block's environments show goes through dense layers into the network.

// Elements of shared memory for that many environments.
STPN_DEVICE int encoder_shared_len(const EncoderOperands& p, int places) {
    return p.layers ? 2 * places * p.widest : 0;
}

struct Encoder {
    const EncoderOperands& p;
    const int places, here;  // environments that there is room for, and those of the block
    const Shared values;     // [2, places, widest]: what goes into a layer, and into the next one

    STPN_DEVICE Encoder(const EncoderOperands& p_, int places_, int here_, Shared values_)
        : p(p_), places(places_), here(here_), values(values_) {}

    STPN_DEVICE Shared into(int layer, int e) const { return values + ((layer & 1) * places + e) * p.widest; }

    // An environment shows that. All of it stands there before `run` is called, and a barrier lies between.
    STPN_DEVICE void show(int e, int number, Real value) const { into(0, e)[number] = value; }

    // A warp computes an output at a time. `network` takes those of the last layer, which all threads then see.
    template <class Network> STPN_DEVICE void run(const Network& network) const {
        const int lane = thread_index() % 32;
        for (int l = 0; l < p.layers; ++l) {
            const EncoderLayerOperands& layer = p.of[l];
            for (int at = thread_index() / 32; at < here * layer.output; at += warps()) {
                const int e = at / layer.output, output = at % layer.output;
                const Shared from = into(l, e);
                Real sum = 0;
                for (int input = lane; input < layer.input; input += 32)
                    sum = fused(layer.parameters[output * layer.input + input], from[input], sum);
                sum = warp_sum(sum);
                if (lane) continue;
                sum += layer.parameters[layer.output * layer.input + output];
                const Real activity = applied_nonlinearity(layer.nonlinearity, sum) * Real(layer.scale);
                if (l + 1 == p.layers)
                    network.see(e, output, activity);
                else
                    into(l + 1, e)[output] = activity;
            }
            barrier(73);
        }
    }
};
