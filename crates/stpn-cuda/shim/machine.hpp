// A block of threads on the CPU: fibers that run one after another from barrier to barrier, and the record of which
// thread read and wrote what in between.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace stpn_shim {

// In which order blocks, and threads between barriers, take their turns. No result may depend on it.
enum Order { IN_ORDER, REVERSED, SHUFFLED };

struct Report {
    long long problems = 0;
    std::string first;
};

// Who read and wrote a word last. Epochs count barriers over all blocks of a launch.
struct Shadow {
    long long written = -1, read = -1;
    int writer = -1, reader = -1;
    int writer_block = -1;
    bool several_readers = false;
};

// An array that kernels may touch, with its shadows if they may write it.
struct Region {
    const char* name;
    long long len;
    bool initialised;
    std::vector<Shadow> shadows;

    Region(const char* name, long long len, bool writable, bool initialised);
    void forget();
};

class Machine {
public:
    Machine(Report& report, Order order, int skipped_site);
    ~Machine();

    // Runs a kernel's `body` in `blocks` blocks of `threads`, each with `len` elements of `size` bytes in shared memory.
    void launch(int blocks, int threads, long long len, std::size_t size, const std::function<void()>& body);

    int thread() const { return current_; }
    int block() const { return block_; }
    void* shared() { return shared_.data(); }
    Region& shared_region() { return *shared_region_; }
    void barrier(int site);
    double shuffle_xor(double value, int offset);

    // Notes that a place is not where it must be: for reads of several elements at once, or for a prefetch.
    void misplaced();

    // Notes an access to element `at`; false if it is out of bounds and must not happen.
    bool reads(Region& region, long long at);
    bool writes(Region& region, long long at);

    static Machine* running;

private:
    struct Fiber;
    enum class At { READY, BARRIER, WARP, END };

    void run_block(const std::function<void()>& body);
    void run_fiber(int index);
    void yield(At at);
    bool release_warps();
    void problem(const char* what, const Region* region, long long at, int other);
    static void enter(unsigned low, unsigned high);

    Report& report_;
    Order order_;
    int skipped_site_;
    int threads_ = 0, current_ = 0, block_ = 0;
    long long epoch_ = 0;
    bool abandoned_ = false;
    const std::function<void()>* body_ = nullptr;
    std::vector<Fiber> fibers_;
    std::vector<double> shared_;
    Region* shared_region_ = nullptr;
    void* scheduler_ = nullptr;
};

}  // namespace stpn_shim
