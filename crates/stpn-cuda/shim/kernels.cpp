// The kernels for the CPU, once for each element type (`STPN_REAL`, `STPN_ENTRY`), with plain functions to call them.
#define STPN_SHIM 1
#include "device.hpp"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

namespace {

#include "../kernels/kernels.cu"

// The operands as the host passes them to a device: plain addresses.
namespace plain {
template <class T> using Global = T*;
#include "../kernels/operands.cuh"
#include "../kernels/energy_operands.cuh"
#include "../kernels/encoder_operands.cuh"
#include "../kernels/play_operands.cuh"
#include "../kernels/maze_operands.cuh"
#include "../kernels/foreseen_operands.cuh"
#include "../kernels/game_operands.cuh"
#include "../kernels/synapse_measured_operands.cuh"
#include "../kernels/synapse_rollout_operands.cuh"
#include "../kernels/gated_operands.cuh"
#include "../kernels/gated_inputs.cuh"
#include "../kernels/gated_measured_operands.cuh"
#include "../kernels/gated_rollout_operands.cuh"
#include "../kernels/product_operands.cuh"
#include "../kernels/bytes_operands.cuh"
#include "../kernels/gather_operands.cuh"
#include "../kernels/dense_energy_operands.cuh"
#include "../kernels/convolution_operands.cuh"
#include "../kernels/adam_operands.cuh"
#include "../kernels/advantage_operands.cuh"
#include "../kernels/policy_operands.cuh"
#include "../kernels/loss_operands.cuh"
#include "../kernels/ppo_operands.cuh"
#include "../kernels/reduce_operands.cuh"
}  // namespace plain

// An array that a launch may touch.
struct Allocation {
    std::uintptr_t address;
    long long bytes;
    int initialised;
};

struct Outcome {
    long long problems;
    char first[256];
};

// Checked arrays over plain ones.
class Regions {
public:
    template <class T> Checked<T> add(const char* name, T* data, long long len, bool writable, bool initialised) {
        if (!data) return Checked<T>();
        regions_.emplace_back(new stpn_shim::Region(name, len, writable, initialised));
        return Checked<T>(data, regions_.back().get());
    }

private:
    std::vector<std::unique_ptr<stpn_shim::Region>> regions_;
};

void report(const stpn_shim::Report& from, Outcome* to) {
    to->problems = from.problems;
    std::snprintf(to->first, sizeof(to->first), "%s", from.first.c_str());
}

}  // namespace

#define STPN_JOIN_(a, b) a##b
#define STPN_JOIN(a, b) STPN_JOIN_(a, b)

namespace {

// Makes checked operands of plain ones: each address must be that of an array of the launch.
class Arguments {
public:
    Arguments(Allocation* arrays, long long count) : arrays_(arrays), count_(count) {}

    template <class T> Checked<T> array(const char* name, T* data) {
        if (!data) return Checked<T>();
        Allocation none{0, 0, 0};
        Allocation* found = &none;
        // Of several at one address the last: the others are gone.
        for (long long at = 0; at < count_; ++at)
            if (arrays_[at].address == reinterpret_cast<std::uintptr_t>(data)) found = &arrays_[at];
        const bool writable = !std::is_const<T>::value, initialised = found->initialised;
        if (writable) found->initialised = 1;
        return regions_.add(name, data, found->bytes / static_cast<long long>(sizeof(T)), writable, initialised);
    }

    Operands of(const plain::Operands& raw) {
        Operands a;
        a.steps = raw.steps;
        a.batch = raw.batch;
        a.every = raw.every;
        a.slots_in_shared = raw.slots_in_shared;
        a.group = raw.group;
        a.scratch_len = raw.scratch_len;
        a.parameters = array("parameters", raw.parameters);
        a.x = array("x", raw.x);
        a.resets = array("resets", raw.resets);
        a.start = array("start", raw.start);
        a.end = array("end", raw.end);
        a.hidden = array("hidden", raw.hidden);
        a.records = array("records", raw.records);
        a.checkpoints = array("checkpoints", raw.checkpoints);
        a.grad_hidden = array("grad_hidden", raw.grad_hidden);
        a.grad_state = array("grad_state", raw.grad_state);
        a.grad_x = array("grad_x", raw.grad_x);
        a.partials = array("partials", raw.partials);
        a.scratch = array("scratch", raw.scratch);
        return a;
    }

    EnergyOperands of(const plain::EnergyOperands& raw) {
        EnergyOperands e;
        e.first = raw.first;
        e.every = raw.every;
        e.batch = raw.batch;
        e.mask = array("energy_mask", raw.mask);
        e.energy = array("energy", raw.energy);
        return e;
    }

    SynapseMeasured of(const plain::SynapseMeasured& raw) {
        SynapseMeasured measured;
        measured.sequence = of(raw.sequence);
        measured.energy = of(raw.energy);
        return measured;
    }

    GatedInputs of(const plain::GatedInputs& raw) {
        GatedInputs inputs;
        inputs.x = array("x", raw.x);
        inputs.first = raw.first;
        inputs.by_row = raw.by_row;
        inputs.by_column = raw.by_column;
        return inputs;
    }

    GatedMeasured of(const plain::GatedMeasured& raw) {
        GatedMeasured measured;
        measured.sequence = of(raw.sequence);
        measured.inputs = of(raw.inputs);
        measured.energy = of(raw.energy);
        return measured;
    }

    template <class Item> GatherOperands<Item> of(const plain::GatherOperands<Item>& raw) {
        GatherOperands<Item> g;
        g.len = raw.len;
        g.of = raw.of;
        g.count = raw.count;
        g.width = raw.width;
        g.columns = array("columns", raw.columns);
        g.from = array("what is gathered", raw.from);
        g.to = array("columns together", raw.to);
        return g;
    }

    BytesOperands of(const plain::BytesOperands& raw) {
        BytesOperands a;
        a.len = raw.len;
        a.bytes = array("bytes", raw.bytes);
        a.numbers = array("numbers", raw.numbers);
        a.factor = raw.factor;
        a.summand = raw.summand;
        return a;
    }

    DenseEnergyOperands of(const plain::DenseEnergyOperands& raw) {
        DenseEnergyOperands a;
        a.squares_len = raw.squares_len;
        a.magnitudes_len = raw.magnitudes_len;
        a.input = raw.input;
        a.x = array("x", raw.x);
        a.mask = array("mask", raw.mask);
        a.parameters = array("parameters", raw.parameters);
        a.squares = array("squares", raw.squares);
        a.magnitudes = array("magnitudes", raw.magnitudes);
        return a;
    }

    EncoderOperands of(const plain::EncoderOperands& raw) {
        EncoderOperands encoder;
        encoder.layers = raw.layers;
        encoder.shown = raw.shown;
        encoder.widest = raw.widest;
        for (int l = 0; l < raw.layers; ++l) {
            const plain::EncoderLayerOperands& layer = raw.of[l];
            encoder.of[l].input = layer.input;
            encoder.of[l].output = layer.output;
            encoder.of[l].nonlinearity = layer.nonlinearity;
            encoder.of[l].scale = layer.scale;
            encoder.of[l].parameters = array("parameters of the encoder", layer.parameters);
        }
        return encoder;
    }

    PlayOperands of(const plain::PlayOperands& raw) {
        PlayOperands p;
        p.steps = raw.steps;
        p.batch = raw.batch;
        p.choices = raw.choices;
        p.lists = raw.lists;
        p.among = array("choices of each list", raw.among);
        p.resets = array("first resets", raw.resets);
        p.heads = array("heads", raw.heads);
        p.uniform = array("uniform", raw.uniform);
        p.actions = array("actions", raw.actions);
        p.log_probs = array("log_probs", raw.log_probs);
        p.outputs = array("outputs", raw.outputs);
        p.next = array("next", raw.next);
        p.observed = array("observed", raw.observed);
        p.started = array("started", raw.started);
        p.energy = of(raw.energy);
        p.encoder = of(raw.encoder);
        return p;
    }

    MazeOperands of(const plain::MazeOperands& raw) {
        MazeOperands m;
        m.size = raw.size;
        m.view_radius = raw.view_radius;
        m.episode_length = raw.episode_length;
        m.free_len = raw.free_len;
        m.draws_len = raw.draws_len;
        m.reward = raw.reward;
        m.wall_penalty = raw.wall_penalty;
        m.draws = array("draws", raw.draws);
        m.walls = array("walls", raw.walls);
        m.free_cells = array("free_cells", raw.free_cells);
        m.mazes = array("mazes", raw.mazes);
        m.rewards = array("rewards", raw.rewards);
        return m;
    }

    ForeseenOperands of(const plain::ForeseenOperands& raw) {
        ForeseenOperands foreseen;
        foreseen.echo = raw.echo;
        foreseen.observations = array("foreseen observations", raw.observations);
        foreseen.starts = array("foreseen starts", raw.starts);
        return foreseen;
    }

    GameOperands of(const plain::GameOperands& raw) {
        GameOperands g;
        g.kind = raw.kind;
        g.side = raw.side;
        g.limit = raw.limit;
        g.goal = raw.goal;
        g.face_down = raw.face_down;
        g.own = raw.own;
        g.previous = raw.previous;
        g.deals = raw.deals;
        g.deal_len = raw.deal_len;
        g.state_len = raw.state_len;
        for (int at = 0; at < 3; ++at) g.reward[at] = raw.reward[at];
        g.shown = array("what inputs show", raw.shown);
        g.dealt = array("deals", raw.dealt);
        g.luck = array("luck", raw.luck);
        g.states = array("states of games", raw.states);
        g.rewards = array("rewards", raw.rewards);
        return g;
    }

    template <class World> auto of(const plain::SynapseRollout<World>& raw) {
        SynapseRollout<decltype(of(raw.world))> rollout;
        rollout.sequence = of(raw.sequence);
        rollout.play = of(raw.play);
        rollout.world = of(raw.world);
        return rollout;
    }

    template <class World> auto of(const plain::GatedRollout<World>& raw) {
        GatedRollout<decltype(of(raw.world))> rollout;
        rollout.sequence = of(raw.sequence);
        rollout.inputs = of(raw.inputs);
        rollout.bias = raw.bias;
        rollout.play = of(raw.play);
        rollout.world = of(raw.world);
        return rollout;
    }

    GatedOperands of(const plain::GatedOperands& raw) {
        GatedOperands a;
        a.steps = raw.steps;
        a.batch = raw.batch;
        a.recurrent = raw.recurrent;
        a.recurrent_row = raw.recurrent_row;
        a.recurrent_column = raw.recurrent_column;
        a.second_bias = raw.second_bias;
        a.norm = raw.norm;
        a.parameters = array("parameters", raw.parameters);
        a.weights = array("weights", raw.weights);
        a.resets = array("resets", raw.resets);
        a.start = array("start", raw.start);
        a.end = array("end", raw.end);
        a.hidden = array("hidden", raw.hidden);
        a.gates = array("gates", raw.gates);
        a.before = array("before", raw.before);
        a.memory = array("memory", raw.memory);
        a.normal = array("normal", raw.normal);
        a.deviation = array("deviation", raw.deviation);
        a.grad_hidden = array("grad_hidden", raw.grad_hidden);
        a.grad_state = array("grad_state", raw.grad_state);
        a.grad_gates = array("grad_gates", raw.grad_gates);
        a.grad_new = array("grad_new", raw.grad_new);
        a.grad_norm = array("grad_norm", raw.grad_norm);
        return a;
    }

    Operand of(const char* name, const plain::Operand& raw) {
        Operand a;
        a.values = array(name, raw.values);
        a.first = raw.first;
        a.by_row = raw.by_row;
        a.by_column = raw.by_column;
        return a;
    }

    ProductOperands of(const plain::ProductOperands& raw) {
        ProductOperands p;
        p.rows = raw.rows;
        p.columns = raw.columns;
        p.depth = raw.depth;
        p.part = raw.part;
        p.left = of("left", raw.left);
        p.right = of("right", raw.right);
        p.activity = array("activity", raw.activity);
        p.bias = array("bias", raw.bias);
        p.bias_first = raw.bias_first;
        p.nonlinearity = raw.nonlinearity;
        p.ones = raw.ones;
        p.out = array("out", raw.out);
        p.out_first = raw.out_first;
        p.out_by_row = raw.out_by_row;
        p.out_by_column = raw.out_by_column;
        p.out_part = raw.out_part;
        p.ones_first = raw.ones_first;
        p.scale = raw.scale;
        return p;
    }

    static Convolution of(const plain::Convolution& raw) {
        return Convolution{raw.channels, raw.height, raw.width, raw.filters, raw.size, raw.stride, raw.rows, raw.columns};
    }

    WindowOperands of(const plain::WindowOperands& raw) {
        WindowOperands w;
        w.product = of(raw.product);
        w.layer = of(raw.layer);
        w.pass = raw.pass;
        return w;
    }

    OverlapOperands of(const plain::OverlapOperands& raw) {
        OverlapOperands a;
        a.layer = of(raw.layer);
        a.images = raw.images;
        a.windows = array("windows", raw.windows);
        a.grad_x = array("grad_x", raw.grad_x);
        a.first = raw.first;
        return a;
    }

    NormOperands of(const plain::NormOperands& raw) {
        NormOperands a;
        a.len = raw.len;
        a.values = array("values", raw.values);
        a.partials = array("partials", raw.partials);
        a.norms = array("norms", raw.norms);
        a.blocks = raw.blocks;
        a.which = raw.which;
        return a;
    }

    AdamOperands of(const plain::AdamOperands& raw) {
        AdamOperands a;
        a.first = raw.first;
        a.len = raw.len;
        a.parameters = array("parameters", raw.parameters);
        a.gradients = array("gradients", raw.gradients);
        a.first_moment = array("first_moment", raw.first_moment);
        a.second_moment = array("second_moment", raw.second_moment);
        a.norms = array("norms", raw.norms);
        a.max_norm = raw.max_norm;
        a.beta1 = raw.beta1;
        a.beta2 = raw.beta2;
        a.rate = raw.rate;
        a.root_correction = raw.root_correction;
        a.epsilon = raw.epsilon;
        a.factor = raw.factor;
        a.limit = raw.limit;
        return a;
    }

    AdvantageOperands of(const plain::AdvantageOperands& raw) {
        AdvantageOperands a;
        a.steps = raw.steps;
        a.batch = raw.batch;
        a.gamma = raw.gamma;
        a.lambda = raw.lambda;
        a.rewards = array("rewards", raw.rewards);
        a.values = array("values", raw.values);
        a.first = raw.first;
        a.by_step = raw.by_step;
        a.by_environment = raw.by_environment;
        a.last_values = array("last_values", raw.last_values);
        a.terminated = array("terminated", raw.terminated);
        a.truncated = array("truncated", raw.truncated);
        a.final_values = array("final_values", raw.final_values);
        a.advantages = array("advantages", raw.advantages);
        a.returns = array("returns", raw.returns);
        return a;
    }

    PolicyOperands of(const plain::PolicyOperands& raw) {
        PolicyOperands p;
        p.kind = raw.kind;
        p.dims = raw.dims;
        p.len = raw.len;
        p.head_len = raw.head_len;
        p.softplus = raw.softplus;
        p.least = raw.least;
        p.choices = array("choices", raw.choices);
        p.log_halves = array("log_halves", raw.log_halves);
        p.actions = array("actions", raw.actions);
        p.draws = array("draws", raw.draws);
        p.outputs = array("outputs", raw.outputs);
        p.values = array("values of the critic", raw.values);
        p.free = array("free", raw.free);
        p.grad = array("grad", raw.grad);
        p.grad_values = array("grad_values", raw.grad_values);
        p.grad_free = array("grad_free", raw.grad_free);
        return p;
    }

    LossOperands of(const plain::LossOperands& raw) {
        LossOperands a;
        a.steps = raw.steps;
        a.batch = raw.batch;
        a.policy = of(raw.policy);
        a.advantages = array("advantages", raw.advantages);
        a.returns = array("returns", raw.returns);
        a.counts = array("counts", raw.counts);
        a.partials = array("partials", raw.partials);
        a.value = raw.value;
        a.entropy = raw.entropy;
        a.concentration = raw.concentration;
        a.mean = raw.mean;
        a.inverse_deviation = raw.inverse_deviation;
        a.scale = raw.scale;
        return a;
    }

    PpoOperands of(const plain::PpoOperands& raw) {
        PpoOperands a;
        a.steps = raw.steps;
        a.policy = of(raw.policy);
        a.advantages = array("advantages", raw.advantages);
        a.returns = array("returns", raw.returns);
        a.log_probs = array("log_probs", raw.log_probs);
        a.values = array("values", raw.values);
        a.behaviour = array("behaviour", raw.behaviour);
        a.counts = array("counts", raw.counts);
        a.partials = array("partials", raw.partials);
        a.clip = raw.clip;
        a.value_clip = raw.value_clip;
        a.value_error_clamp = raw.value_error_clamp;
        a.value = raw.value;
        a.entropy = raw.entropy;
        a.kl = raw.kl;
        a.mean = raw.mean;
        a.inverse_deviation = raw.inverse_deviation;
        a.scale = raw.scale;
        return a;
    }

    ReduceOperands of(const plain::ReduceOperands& raw) {
        ReduceOperands a;
        a.values = array("values", raw.values);
        a.sums = array("sums", raw.sums);
        a.rows = raw.rows;
        a.fan = raw.fan;
        a.len = raw.len;
        a.tiles = raw.tiles;
        return a;
    }

private:
    Allocation* arrays_;
    long long count_;
    Regions regions_;
};

template <class Plain, class Checks>
std::function<void()> bound(void (*kernel)(Checks), Arguments& arguments, const void* operands) {
    Plain raw;
    std::memcpy(static_cast<void*>(&raw), operands, sizeof(raw));
    const Checks checked = arguments.of(raw);
    return [kernel, checked] { kernel(checked); };
}

typedef plain::SynapseRollout<plain::MazeOperands> SynapseMazes;
typedef plain::SynapseRollout<plain::ForeseenOperands> SynapseForeseen;
typedef plain::SynapseRollout<plain::GameOperands> SynapseGames;

// A kernel by its name, with its operands; nothing if there is none.
std::function<void()> bound(const std::string& name, Arguments& arguments, const void* operands) {
    if (name == "plastic_forward") return bound<plain::Operands>(plastic_forward, arguments, operands);
    if (name == "plastic_backward") return bound<plain::Operands>(plastic_backward, arguments, operands);
    if (name == "plastic_measured") return bound<plain::SynapseMeasured>(plastic_measured, arguments, operands);
    if (name == "modulated_measured") return bound<plain::SynapseMeasured>(modulated_measured, arguments, operands);
    if (name == "gated_measured") return bound<plain::GatedMeasured>(gated_measured, arguments, operands);
    if (name == "energy_factors") return bound<plain::DenseEnergyOperands>(energy_factors, arguments, operands);
    if (name == "numbers_of_bytes") return bound<plain::BytesOperands>(numbers_of_bytes, arguments, operands);
    if (name == "gather_numbers") return bound<plain::GatherOperands<Real>>(gather_numbers, arguments, operands);
    if (name == "gather_words") return bound<plain::GatherOperands<unsigned int>>(gather_words, arguments, operands);
    if (name == "gather_bytes") return bound<plain::GatherOperands<unsigned char>>(gather_bytes, arguments, operands);
    if (name == "plastic_mazes") return bound<SynapseMazes>(plastic_mazes, arguments, operands);
    if (name == "plastic_foreseen") return bound<SynapseForeseen>(plastic_foreseen, arguments, operands);
    if (name == "plastic_games") return bound<SynapseGames>(plastic_games, arguments, operands);
    if (name == "modulated_mazes") return bound<SynapseMazes>(modulated_mazes, arguments, operands);
    if (name == "modulated_foreseen") return bound<SynapseForeseen>(modulated_foreseen, arguments, operands);
    if (name == "modulated_games") return bound<SynapseGames>(modulated_games, arguments, operands);
    if (name == "gated_mazes") return bound<plain::GatedRollout<plain::MazeOperands>>(gated_mazes, arguments, operands);
    if (name == "gated_foreseen")
        return bound<plain::GatedRollout<plain::ForeseenOperands>>(gated_foreseen, arguments, operands);
    if (name == "gated_games") return bound<plain::GatedRollout<plain::GameOperands>>(gated_games, arguments, operands);
    if (name == "modulated_forward") return bound<plain::Operands>(modulated_forward, arguments, operands);
    if (name == "modulated_backward") return bound<plain::Operands>(modulated_backward, arguments, operands);
    if (name == "gated_layout_forward") return bound<plain::GatedOperands>(gated_layout_forward, arguments, operands);
    if (name == "gated_layout_backward") return bound<plain::GatedOperands>(gated_layout_backward, arguments, operands);
    if (name == "gated_forward") return bound<plain::GatedOperands>(gated_forward, arguments, operands);
    if (name == "gated_backward") return bound<plain::GatedOperands>(gated_backward, arguments, operands);
    if (name == "product") return bound<plain::ProductOperands>(product, arguments, operands);
    if (name == "convolution") return bound<plain::WindowOperands>(convolution, arguments, operands);
    if (name == "overlap") return bound<plain::OverlapOperands>(overlap, arguments, operands);
    if (name == "square_sums") return bound<plain::NormOperands>(square_sums, arguments, operands);
    if (name == "norm_of_parts") return bound<plain::NormOperands>(norm_of_parts, arguments, operands);
    if (name == "adam") return bound<plain::AdamOperands>(adam, arguments, operands);
    if (name == "a2c_loss") return bound<plain::LossOperands>(a2c_loss, arguments, operands);
    if (name == "ppo_loss") return bound<plain::PpoOperands>(ppo_loss, arguments, operands);
    if (name == "generalized_advantages")
        return bound<plain::AdvantageOperands>(generalized_advantages, arguments, operands);
    if (name == "sum_rows") return bound<plain::ReduceOperands>(sum_rows, arguments, operands);
    return nullptr;
}

}  // namespace

// Runs a kernel as the driver would: by its name, from its operands with plain addresses, which are those of `arrays`.
// Those that it may write have something in them afterwards. False if there is no kernel of that name.
extern "C" bool STPN_JOIN(stpn_shim_launch_, STPN_ENTRY)(const Spec* layer, const char* kernel, int blocks, int threads,
                                                     long long shared_bytes, const void* operands,
                                                     Allocation* arrays, long long count, int order,
                                                     int skipped_site, Outcome* outcome) {
    spec = *layer;
    if (threads != spec.threads) return false;
    Arguments arguments(arrays, count);
    const auto body = bound(kernel, arguments, operands);
    if (!body) return false;
    stpn_shim::Report problems;
    stpn_shim::Machine machine(problems, static_cast<stpn_shim::Order>(order), skipped_site);
    machine.launch(blocks, threads, shared_bytes / static_cast<long long>(sizeof(Real)), sizeof(Real), body);
    report(problems, outcome);
    return true;
}
