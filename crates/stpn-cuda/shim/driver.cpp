// The part of the CUDA driver and of NVRTC that `src/cuda` calls, on the CPU: memory is the host's, "PTX" is the source
// itself, and a launch runs on the machine. As libcuda.so and libnvrtc.so it lets the host's side run without a
// device. Environment variables ask for faults: STPN_EMULATED_VERSION, STPN_EMULATED_DEVICES, STPN_EMULATED_MEMORY
// (bytes), STPN_EMULATED_PTX (the code of loading kernels), STPN_EMULATED_FAILING_KERNEL (its name).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

// Codes of the driver.
enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, NOT_FOUND = 500, LAUNCH_FAILED = 719 };

struct Spec {
    double bound;
    int values[23];
};

struct Outcome {
    long long problems;
    char first[256];
};

struct Allocation {
    std::uintptr_t address;
    long long bytes;
    int initialised;
};

struct Module {
    bool is_double;
    Spec spec;
};

struct Function {
    Module* module;
    std::string name;
};

std::mutex lock;
std::map<std::uintptr_t, std::size_t> allocations;
// Like a device's, an error stays until the end.
int failed = SUCCESS;
void* current = nullptr;
int context = 0;

long long number(const char* name, long long otherwise) {
    const char* text = std::getenv(name);
    return text ? std::atoll(text) : otherwise;
}

// Total memory, 1 GiB unless asked otherwise.
long long memory() { return number("STPN_EMULATED_MEMORY", 1LL << 30); }

long long used() {
    long long sum = 0;
    for (const auto& allocation : allocations) sum += static_cast<long long>(allocation.second);
    return sum;
}

// True if the range lies in one allocation.
bool within(std::uintptr_t address, std::size_t bytes) {
    auto after = allocations.upper_bound(address);
    if (after == allocations.begin()) return false;
    const auto& at = *std::prev(after);
    return address + bytes <= at.first + at.second;
}

}  // namespace

extern "C" {

bool stpn_shim_launch_float(const Spec*, const char*, int, int, long long, const void*, Allocation*, long long, int,
                            int, Outcome*);
bool stpn_shim_launch_double(const Spec*, const char*, int, int, long long, const void*, Allocation*, long long, int,
                             int, Outcome*);

typedef std::uintptr_t Address;

int cuDriverGetVersion(int* version) {
    *version = static_cast<int>(number("STPN_EMULATED_VERSION", 12000));
    return SUCCESS;
}
int cuInit(unsigned) { return number("STPN_EMULATED_DEVICES", 1) ? SUCCESS : NO_DEVICE; }
int cuDeviceGetCount(int* count) {
    *count = static_cast<int>(number("STPN_EMULATED_DEVICES", 1));
    return SUCCESS;
}
int cuDeviceGet(int* device, int ordinal) {
    *device = ordinal;
    return SUCCESS;
}
int cuDeviceGetName(char* name, int len, int) {
    std::snprintf(name, static_cast<std::size_t>(len), "emulated device");
    return SUCCESS;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
        case 13: *value = 1410000; break;    // kHz of the multiprocessors, as an A100 of 80 GB has them
        case 16: *value = 108; break;        // multiprocessors
        case 36: *value = 1593000; break;    // kHz of the memory
        case 37: *value = 5120; break;       // bits of the memory's bus
        case 75: *value = 8; break;          // compute capability, major
        case 76: *value = 0; break;          // minor
        case 97: *value = 166912; break;     // shared memory a block may ask for
        default: *value = 0;                 // no memory pools
    }
    return SUCCESS;
}
int cuDevicePrimaryCtxRetain(void** to, int) {
    *to = &context;
    return SUCCESS;
}
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxGetCurrent(void** to) {
    *to = current;
    return SUCCESS;
}
int cuCtxSetCurrent(void* to) {
    current = to;
    return SUCCESS;
}
int cuCtxSynchronize() { return failed; }
int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
    std::lock_guard<std::mutex> guard(lock);
    *total = static_cast<std::size_t>(memory());
    *free = static_cast<std::size_t>(memory() - used());
    return SUCCESS;
}
int cuMemAlloc_v2(Address* to, std::size_t bytes) {
    std::lock_guard<std::mutex> guard(lock);
    if (failed) return failed;
    if (!bytes) return INVALID_VALUE;
    if (used() + static_cast<long long>(bytes) > memory()) return OUT_OF_MEMORY;
    void* memory = std::malloc(bytes);
    std::memset(memory, 0xff, bytes);
    *to = reinterpret_cast<Address>(memory);
    allocations[*to] = bytes;
    return SUCCESS;
}
int cuMemFree_v2(Address address) {
    std::lock_guard<std::mutex> guard(lock);
    if (!allocations.erase(address)) return INVALID_VALUE;
    std::free(reinterpret_cast<void*>(address));
    return SUCCESS;
}
int cuMemcpyHtoDAsync_v2(Address to, const void* from, std::size_t bytes, void*) {
    std::lock_guard<std::mutex> guard(lock);
    if (!within(to, bytes)) return INVALID_VALUE;
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return failed;
}
int cuMemcpyDtoHAsync_v2(void* to, Address from, std::size_t bytes, void*) {
    std::lock_guard<std::mutex> guard(lock);
    if (!within(from, bytes)) return INVALID_VALUE;
    std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return failed;
}
int cuMemcpyDtoDAsync_v2(Address to, Address from, std::size_t bytes, void*) {
    std::lock_guard<std::mutex> guard(lock);
    if (!within(to, bytes) || !within(from, bytes)) return INVALID_VALUE;
    std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
    return failed;
}
int cuMemsetD8Async(Address to, unsigned char value, std::size_t bytes, void*) {
    std::lock_guard<std::mutex> guard(lock);
    if (!within(to, bytes)) return INVALID_VALUE;
    std::memset(reinterpret_cast<void*>(to), value, bytes);
    return failed;
}
int cuEventCreate(void** event, unsigned) {
    *event = &context;
    return SUCCESS;
}
int cuEventDestroy_v2(void*) { return SUCCESS; }
int cuEventRecord(void*, void*) { return failed; }
int cuStreamWaitEvent(void*, void*, unsigned) { return failed; }
int cuStreamSynchronize(void*) { return failed; }

int cuModuleLoadData(void** to, const void* image) {
    if (const auto code = number("STPN_EMULATED_PTX", SUCCESS)) return static_cast<int>(code);
    const std::string text = static_cast<const char*>(image);
    auto module = std::make_unique<Module>();
    module->is_double = text.find("#define STPN_REAL double") != std::string::npos;
    const auto at = text.find("#define STPN_SPEC ");
    if (at == std::string::npos) return INVALID_VALUE;
    const char* rest = text.c_str() + at + std::strlen("#define STPN_SPEC ");
    char* end = nullptr;
    module->spec.bound = std::strtod(rest, &end);
    for (int& value : module->spec.values) value = static_cast<int>(std::strtol(end + 1, &end, 10));
    *to = module.release();
    return SUCCESS;
}
int cuModuleUnload(void* module) {
    delete static_cast<Module*>(module);
    return SUCCESS;
}
int cuModuleGetFunction(void** to, void* module, const char* name) {
    // Functions are few and live as long as the process.
    *to = new Function{static_cast<Module*>(module), name};
    return SUCCESS;
}
int cuFuncSetAttribute(void*, int, int) { return SUCCESS; }
int cuLaunchKernel(void* of, unsigned blocks, unsigned, unsigned, unsigned threads, unsigned, unsigned, unsigned shared,
                   void*, void** arguments, void**) {
    std::lock_guard<std::mutex> guard(lock);
    if (failed) return failed;
    const auto* function = static_cast<Function*>(of);
    const char* failing = std::getenv("STPN_EMULATED_FAILING_KERNEL");
    if (failing && function->name == failing) {
        failed = LAUNCH_FAILED;
        return SUCCESS;
    }
    Outcome outcome{};
    const auto launch = function->module->is_double ? stpn_shim_launch_double : stpn_shim_launch_float;
    // What was reserved has been zeroed or copied to, as far as anyone knows.
    std::vector<Allocation> arrays;
    for (const auto& [address, bytes] : allocations) arrays.push_back({address, static_cast<long long>(bytes), 1});
    const int shuffled = 2, no_site = -1;
    if (!launch(&function->module->spec, function->name.c_str(), static_cast<int>(blocks), static_cast<int>(threads),
                shared, arguments[0], arrays.data(), static_cast<long long>(arrays.size()), shuffled, no_site, &outcome))
        return NOT_FOUND;
    if (outcome.problems) {
        std::fprintf(stderr, "%s: %lld problems, first: %s\n", function->name.c_str(), outcome.problems, outcome.first);
        failed = LAUNCH_FAILED;
    }
    return SUCCESS;
}

int cuGetErrorName(int code, const char** name) {
    *name = code == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR";
    return SUCCESS;
}
int cuGetErrorString(int code, const char** text) {
    *text = code == OUT_OF_MEMORY   ? "out of memory"
            : code == LAUNCH_FAILED ? "unspecified launch failure"
            : code == INVALID_VALUE ? "invalid argument"
                                    : "an error of the emulated driver";
    return SUCCESS;
}

int nvrtcVersion(int* major, int* minor) {
    *major = 0;
    *minor = 1;
    return 0;
}
int nvrtcCreateProgram(void** to, const char* source, const char*, int, const char* const*, const char* const*) {
    *to = new std::string(source);
    return 0;
}
int nvrtcCompileProgram(void*, int, const char* const*) { return 0; }
int nvrtcGetPTXSize(void* program, std::size_t* size) {
    *size = static_cast<std::string*>(program)->size() + 1;
    return 0;
}
int nvrtcGetPTX(void* program, char* to) {
    std::strcpy(to, static_cast<std::string*>(program)->c_str());
    return 0;
}
int nvrtcGetProgramLogSize(void*, std::size_t* size) {
    *size = 1;
    return 0;
}
int nvrtcGetProgramLog(void*, char* to) {
    *to = 0;
    return 0;
}
int nvrtcDestroyProgram(void** program) {
    delete static_cast<std::string*>(*program);
    *program = nullptr;
    return 0;
}
const char* nvrtcGetErrorString(int) { return "an error of the emulated compiler"; }

}  // extern "C"
