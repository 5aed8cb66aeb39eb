#include "machine.hpp"

#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace stpn_shim {

namespace {
constexpr std::size_t STACK = 128 << 10;

// A permutation that depends on nothing but its arguments.
std::vector<int> turns(int count, Order order, unsigned seed) {
    std::vector<int> turns(count);
    for (int i = 0; i < count; ++i) turns[i] = order == REVERSED ? count - 1 - i : i;
    if (order == SHUFFLED) {
        unsigned state = seed * 2654435761u + 1;
        for (int i = count - 1; i > 0; --i) {
            state = state * 1664525u + 1013904223u;
            std::swap(turns[i], turns[(state >> 8) % (i + 1)]);
        }
    }
    return turns;
}
}  // namespace

Machine* Machine::running = nullptr;

Region::Region(const char* name_, long long len_, bool writable, bool initialised_)
    : name(name_), len(len_), initialised(initialised_), shadows(writable ? len_ : 0) {}

void Region::forget() { std::fill(shadows.begin(), shadows.end(), Shadow{}); }

struct Machine::Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    At at = At::END;
    int site = 0, offset = 0;
    double given = 0, taken = 0;
};

Machine::Machine(Report& report, Order order, int skipped_site)
    : report_(report), order_(order), skipped_site_(skipped_site), scheduler_(new ucontext_t) {
    running = this;
}

Machine::~Machine() {
    running = nullptr;
    delete static_cast<ucontext_t*>(scheduler_);
    delete shared_region_;
}

void Machine::launch(int blocks, int threads, long long len, std::size_t size,
                     const std::function<void()>& body) {
    threads_ = threads;
    fibers_.resize(threads);
    for (Fiber& fiber : fibers_)
        if (!fiber.stack) fiber.stack.reset(new char[STACK]);
    shared_.assign(len * size / sizeof(double) + 1, 0.0);
    for (int block : turns(blocks, order_, 7)) {
        block_ = block;
        delete shared_region_;
        shared_region_ = new Region("shared memory", len, true, false);
        run_block(body);
    }
}

void Machine::run_block(const std::function<void()>& body) {
    body_ = &body;
    abandoned_ = false;
    ++epoch_;
    for (Fiber& fiber : fibers_) {
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = static_cast<ucontext_t*>(scheduler_);
        const auto self = reinterpret_cast<std::uintptr_t>(this);
        makecontext(&fiber.context, reinterpret_cast<void (*)()>(&Machine::enter), 2, static_cast<unsigned>(self),
                    static_cast<unsigned>(static_cast<std::uint64_t>(self) >> 32));
        fiber.at = At::READY;
    }
    unsigned round = 0;
    while (!abandoned_) {
        for (int index : turns(threads_, order_, ++round))
            if (fibers_[index].at == At::READY) run_fiber(index);
        if (release_warps()) continue;
        int at_barrier = 0, ended = 0, site = -1;
        bool same_site = true;
        for (const Fiber& fiber : fibers_) {
            ended += fiber.at == At::END;
            if (fiber.at != At::BARRIER) continue;
            same_site = same_site && (!at_barrier || fiber.site == site);
            site = fiber.site;
            ++at_barrier;
        }
        if (ended == threads_) return;
        if (at_barrier != threads_ || !same_site) {
            problem("threads of a block wait for one another at different places", nullptr, site, ended);
            return;
        }
        ++epoch_;
        for (Fiber& fiber : fibers_) fiber.at = At::READY;
    }
}

// Lets each warp go on that has met at a shuffle; true if there was one.
bool Machine::release_warps() {
    bool any = false;
    for (int first = 0; first < threads_; first += 32) {
        bool met = true;
        for (int index = first; index < first + 32; ++index)
            met = met && fibers_[index].at == At::WARP && fibers_[index].offset == fibers_[first].offset;
        if (!met) continue;
        any = true;
        for (int index = first; index < first + 32; ++index)
            fibers_[index].taken = fibers_[first + ((index - first) ^ fibers_[index].offset)].given;
        for (int index = first; index < first + 32; ++index) fibers_[index].at = At::READY;
    }
    return any;
}

void Machine::run_fiber(int index) {
    current_ = index;
    swapcontext(static_cast<ucontext_t*>(scheduler_), &fibers_[index].context);
}

void Machine::enter(unsigned low, unsigned high) {
    auto* self = reinterpret_cast<Machine*>(static_cast<std::uintptr_t>((static_cast<std::uint64_t>(high) << 32) | low));
    (*self->body_)();
    self->fibers_[self->current_].at = At::END;
}

void Machine::yield(At at) {
    Fiber& fiber = fibers_[current_];
    fiber.at = at;
    swapcontext(&fiber.context, static_cast<ucontext_t*>(scheduler_));
}

void Machine::barrier(int site) {
    if (site == skipped_site_) return;
    fibers_[current_].site = site;
    yield(At::BARRIER);
}

double Machine::shuffle_xor(double value, int offset) {
    Fiber& fiber = fibers_[current_];
    fiber.given = value;
    fiber.offset = offset;
    yield(At::WARP);
    return fiber.taken;
}

bool Machine::reads(Region& region, long long at) {
    if (at < 0 || at >= region.len) {
        problem("read out of bounds", &region, at, -1);
        return false;
    }
    if (region.shadows.empty()) return true;
    Shadow& shadow = region.shadows[at];
    if (shadow.written < 0 && !region.initialised)
        problem("read of what was never written", &region, at, -1);
    else if (shadow.written >= 0 && shadow.writer_block != block_)
        problem("read of what another block wrote", &region, at, shadow.writer_block);
    else if (shadow.written == epoch_ && shadow.writer != current_)
        problem("read in the same interval as a write", &region, at, shadow.writer);
    shadow.several_readers = shadow.read == epoch_ && (shadow.several_readers || shadow.reader != current_);
    shadow.read = epoch_;
    shadow.reader = current_;
    return true;
}

bool Machine::writes(Region& region, long long at) {
    if (at < 0 || at >= region.len || region.shadows.empty()) {
        problem("write out of bounds", &region, at, -1);
        return false;
    }
    Shadow& shadow = region.shadows[at];
    if (shadow.written >= 0 && shadow.writer_block != block_)
        problem("write of what another block wrote", &region, at, shadow.writer_block);
    else if (shadow.written == epoch_ && shadow.writer != current_)
        problem("two writes in one interval", &region, at, shadow.writer);
    else if (shadow.read == epoch_ && (shadow.several_readers || shadow.reader != current_))
        problem("write in the same interval as a read", &region, at, shadow.reader);
    shadow.written = epoch_;
    shadow.writer = current_;
    shadow.writer_block = block_;
    return true;
}

void Machine::misplaced() { problem("a misaligned read, or a prefetch out of bounds", nullptr, -1, -1); }

void Machine::problem(const char* what, const Region* region, long long at, int other) {
    if (report_.problems++ == 0) {
        report_.first = std::string(what) + ": " + (region ? region->name : "barrier") + " " + std::to_string(at) +
                        ", block " + std::to_string(block_) + ", thread " + std::to_string(current_) + ", other " +
                        std::to_string(other);
    }
}

}  // namespace stpn_shim
