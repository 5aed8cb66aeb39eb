// The kernels for the CPU, once for each element type (`STPN_REAL`, `STPN_ENTRY`), with plain functions to call them.
#define STPN_SHIM 1
#include "device.hpp"
#include "driver.hpp"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

namespace {

#include "../kernels/plastic.cu"

// The operands as the host passes them to a device: plain addresses.
namespace plain {
template <class T> using Global = T*;
#include "../kernels/operands.cuh"
}  // namespace plain

// The arrays of a launch as the caller has them; the layout is that of `shim.rs`.
struct Arrays {
    const Real* parameters;
    const Real* x;
    const unsigned char* resets;
    const Real* start;
    Real* end;
    Real* hidden;
    Real* records;
    Real* checkpoints;
    const Real* grad_hidden;
    Real* grad_state;
    Real* grad_x;
    Real* partials;
    Real* scratch;
    long long lens[13];
};

struct Settings {
    int steps, batch, every, slots_in_shared, group, blocks, backward, order, skipped_site;
    long long shared_len, scratch_len;
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

extern "C" void STPN_JOIN(stpn_shim_sequence_, STPN_ENTRY)(const Spec* layer, const Settings* set, const Arrays* arrays,
                                                       Outcome* outcome) {
    spec = *layer;
    const bool back = set->backward != 0;
    Regions regions;
    Operands a;
    a.steps = set->steps;
    a.batch = set->batch;
    a.every = set->every;
    a.slots_in_shared = set->slots_in_shared;
    a.group = set->group;
    a.scratch_len = set->scratch_len;
    const long long* len = arrays->lens;
    a.parameters = regions.add("parameters", arrays->parameters, len[0], false, true);
    a.x = regions.add("x", arrays->x, len[1], false, true);
    a.resets = regions.add("resets", arrays->resets, len[2], false, true);
    a.start = regions.add("start", arrays->start, len[3], false, true);
    a.end = regions.add("end", arrays->end, len[4], true, false);
    a.hidden = regions.add("hidden", arrays->hidden, len[5], true, back);
    a.records = regions.add("records", arrays->records, len[6], true, back);
    a.checkpoints = regions.add("checkpoints", arrays->checkpoints, len[7], true, back);
    a.grad_hidden = regions.add("grad_hidden", arrays->grad_hidden, len[8], false, true);
    a.grad_state = regions.add("grad_state", arrays->grad_state, len[9], true, true);
    a.grad_x = regions.add("grad_x", arrays->grad_x, len[10], true, false);
    a.partials = regions.add("partials", arrays->partials, len[11], true, false);
    a.scratch = regions.add("scratch", arrays->scratch, len[12], true, false);
    stpn_shim::Report problems;
    stpn_shim::Machine machine(problems, static_cast<stpn_shim::Order>(set->order), set->skipped_site);
    machine.launch(set->blocks, spec.threads, set->shared_len, sizeof(Real), [&] {
        if (spec.family == 0)
            back ? plastic_backward(a) : plastic_forward(a);
        else
            back ? modulated_backward(a) : modulated_forward(a);
    });
    report(problems, outcome);
}

extern "C" void STPN_JOIN(stpn_shim_sum_rows_, STPN_ENTRY)(const Spec* layer, const Real* values, Real* sums, int rows,
                                                       int fan, long long len, int order, Outcome* outcome) {
    spec = *layer;
    Regions regions;
    const int out = (rows + fan - 1) / fan, tiles = (len + spec.threads - 1) / spec.threads;
    auto from = regions.add("values", values, rows * len, false, true);
    auto to = regions.add("sums", sums, out * len, true, false);
    stpn_shim::Report problems;
    stpn_shim::Machine machine(problems, static_cast<stpn_shim::Order>(order), -1);
    machine.launch(out * tiles, spec.threads, 0, sizeof(Real), [&] { sum_rows(from, to, rows, fan, len, tiles); });
    report(problems, outcome);
}

namespace {

// A checked array over the allocation that begins at that address.
template <class T> Checked<T> allocated(Regions& regions, const char* name, T* data, bool writable) {
    if (!data) return Checked<T>();
    // What is reserved is zeroed or copied to at once.
    const long long bytes = stpn_shim::allocated_bytes(reinterpret_cast<std::uintptr_t>(data));
    return regions.add(name, data, bytes / static_cast<long long>(sizeof(T)), writable, true);
}

template <class T> T argument(void** arguments, int index) {
    T value;
    std::memcpy(&value, arguments[index], sizeof(T));
    return value;
}

}  // namespace

// Runs a kernel as the driver would: by its name, from the addresses of its arguments. False if there is none.
extern "C" bool STPN_JOIN(stpn_shim_launch_, STPN_ENTRY)(const Spec* layer, const char* kernel, int blocks, int threads,
                                                     long long shared_bytes, void** arguments, Outcome* outcome) {
    spec = *layer;
    if (threads != spec.threads) return false;
    const std::string name = kernel;
    Regions regions;
    stpn_shim::Report problems;
    stpn_shim::Machine machine(problems, stpn_shim::SHUFFLED, -1);
    const long long shared_len = shared_bytes / static_cast<long long>(sizeof(Real));
    if (name == "sum_rows") {
        auto values = allocated(regions, "values", argument<const Real*>(arguments, 0), false);
        auto sums = allocated(regions, "sums", argument<Real*>(arguments, 1), true);
        const int rows = argument<int>(arguments, 2), fan = argument<int>(arguments, 3);
        const auto len = argument<long long>(arguments, 4);
        const int tiles = argument<int>(arguments, 5);
        machine.launch(blocks, threads, shared_len, sizeof(Real), [&] { sum_rows(values, sums, rows, fan, len, tiles); });
        report(problems, outcome);
        return true;
    }
    const auto raw = argument<plain::Operands>(arguments, 0);
    Operands a;
    a.steps = raw.steps;
    a.batch = raw.batch;
    a.every = raw.every;
    a.slots_in_shared = raw.slots_in_shared;
    a.group = raw.group;
    a.scratch_len = raw.scratch_len;
    a.parameters = allocated(regions, "parameters", raw.parameters, false);
    a.x = allocated(regions, "x", raw.x, false);
    a.resets = allocated(regions, "resets", raw.resets, false);
    a.start = allocated(regions, "start", raw.start, false);
    a.end = allocated(regions, "end", raw.end, true);
    a.hidden = allocated(regions, "hidden", raw.hidden, true);
    a.records = allocated(regions, "records", raw.records, true);
    a.checkpoints = allocated(regions, "checkpoints", raw.checkpoints, true);
    a.grad_hidden = allocated(regions, "grad_hidden", raw.grad_hidden, false);
    a.grad_state = allocated(regions, "grad_state", raw.grad_state, true);
    a.grad_x = allocated(regions, "grad_x", raw.grad_x, true);
    a.partials = allocated(regions, "partials", raw.partials, true);
    a.scratch = allocated(regions, "scratch", raw.scratch, true);
    void (*function)(Operands) = name == "plastic_forward"      ? plastic_forward
                                 : name == "plastic_backward"   ? plastic_backward
                                 : name == "modulated_forward"  ? modulated_forward
                                 : name == "modulated_backward" ? modulated_backward
                                                                : nullptr;
    if (!function) return false;
    machine.launch(blocks, threads, shared_len, sizeof(Real), [&] { function(a); });
    report(problems, outcome);
    return true;
}
