// What a layer computes, and where its parameters and state lie in the packed arrays.
//
// On a device the values are constants (`STPN_SPEC`), so that loops unroll and options that are off cost nothing. On
// the CPU they are set before each launch.

struct Spec {
    double bound;           // limit of the fast weights, of use if clamped
    int family;             // 0: STPN, STPNf, HebbFF; 1: differentiable plasticity and Backpropamine; 2: LSTM, GRU,
                            // RNN; 3: none, for kernels that are the same for all layers
    int input;              // I
    int hidden;             // H
    int recurrent;          // z = [x ; h], else x
    int normalize_forward;  // the product is divided by the norm of W + F
    int normalize_state;    // 0 never, 1 before the update, 2 after it
    int clamped;
    int decay_all;          // the decay multiplies the whole update
    int plastic_first;      // first column with fast weights
    int plastic_len;        // P, their number
    int granularity;        // decays and rates: 0 one a synapse, 1 one a column, 2 one in all
    int bias;
    int layer_norm;
    int plastic_bias;
    int logistic;           // HebbFF
    int modulation;         // family 1: 0 constant, 1 network, 2 retroactive
    int rule;               // family 1: 0 hard clamp, 1 soft clamp, 2 additive, 3 decay
    int lanes;              // threads that share a row, a power of two up to 32
    int threads;            // in a block, a multiple of 32
    int place;              // of what belongs to a synapse: 0 registers, 1 shared memory, 2 global memory
    int kind;               // family 2: 0 LSTM, 1 GRU, 2 RNN
    int tile;               // family 2: environments of a block
    int resident;           // family 2: rows of the recurrent matrix in shared memory
};

// Added to the variance in layer normalisation.
#define STPN_VARIANCE_EPSILON 1e-5

#ifdef STPN_SHIM
static Spec spec;
#define STPN_FIXED inline int
#else
constexpr Spec spec = {STPN_SPEC};
#define STPN_FIXED STPN_DEVICE constexpr int
#endif

// D
STPN_FIXED width() { return spec.recurrent ? spec.input + spec.hidden : spec.input; }
// Rows that a block works on at once.
STPN_FIXED groups() { return spec.threads / spec.lanes; }
STPN_FIXED warps() { return spec.threads / 32; }
// Rows and columns of a thread: row = group + i * groups, column = lane + k * lanes.
STPN_FIXED own_rows() { return (spec.hidden + groups() - 1) / groups(); }
STPN_FIXED own_columns() { return (width() + spec.lanes - 1) / spec.lanes; }
STPN_FIXED own() { return own_rows() * own_columns(); }
// Environments of a block of family 2.
STPN_FIXED own_tile() { return spec.tile; }
// Synapses of a block with what fills up rows and columns.
STPN_FIXED padded() { return own() * spec.threads; }

// Packed parameters, in the cells' order.
STPN_FIXED rates() {
    return spec.granularity == 0 ? spec.hidden * spec.plastic_len : spec.granularity == 1 ? spec.plastic_len : 1;
}
STPN_FIXED bias_rates() { return spec.granularity == 0 ? spec.hidden : 1; }
STPN_FIXED bias_at() { return spec.hidden * width(); }
STPN_FIXED lambda_at() { return bias_at() + (spec.bias ? spec.hidden : 0); }
STPN_FIXED gamma_at() { return lambda_at() + rates(); }
STPN_FIXED bias_lambda_at() { return gamma_at() + rates(); }
STPN_FIXED bias_gamma_at() { return bias_lambda_at() + (spec.plastic_bias ? bias_rates() : 0); }
STPN_FIXED gain_at() { return bias_gamma_at() + (spec.plastic_bias ? bias_rates() : 0); }
STPN_FIXED offset_at() { return gain_at() + (spec.layer_norm ? spec.hidden : 0); }
STPN_FIXED plastic_parameters() { return offset_at() + (spec.layer_norm ? spec.hidden : 0); }

// Packed state of one environment: h, F, bias state; or h, F, trace.
STPN_FIXED fast_at() { return spec.recurrent ? spec.hidden : 0; }
STPN_FIXED after_fast_at() { return fast_at() + spec.hidden * spec.plastic_len; }
STPN_FIXED state_len() {
    return after_fast_at() +
           (spec.family ? (spec.modulation == 2 ? spec.hidden * spec.hidden : 0) : spec.plastic_bias ? spec.hidden : 0);
}
