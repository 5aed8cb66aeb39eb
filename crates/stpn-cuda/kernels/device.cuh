// What a kernel needs of the machine: memory, threads, barriers, functions. `shim/device.hpp` is the same for the CPU.

#define STPN_DEVICE __device__ __forceinline__
#define STPN_KERNEL extern "C" __global__ void __launch_bounds__(STPN_THREADS)
// Two blocks at once hide the waits of one another; a backward block needs the registers of both.
#define STPN_FORWARD_KERNEL extern "C" __global__ void __launch_bounds__(STPN_THREADS, 2)

// One block alone may have all registers: shared memory allows few blocks, and more values on their way hide waits.
#define STPN_ALONE_KERNEL extern "C" __global__ void __launch_bounds__(STPN_THREADS, 1)

// Kernels that are the same for all layers: blocks of 256 threads, two at once: one computes while the other waits.
#define STPN_GENERAL_KERNEL extern "C" __global__ void __launch_bounds__(256, 2)

// Loops over a thread's rows and columns unroll as `STPN_UNROLL` and `STPN_UNROLL_COLUMNS` say, which stand before this
// file; these always do.
#define STPN_UNROLL_ALWAYS _Pragma("unroll")

typedef STPN_REAL Real;

// Pointers to memory that all threads of a block see. The shim checks every access.
template <class T> using Global = T*;
typedef Real* Shared;

STPN_DEVICE int thread_index() { return threadIdx.x; }
STPN_DEVICE int block_index() { return blockIdx.x; }

extern __shared__ __align__(16) unsigned char stpn_shared_memory[];
STPN_DEVICE Shared shared_memory() { return reinterpret_cast<Real*>(stpn_shared_memory); }
typedef double* SharedDoubles;
STPN_DEVICE SharedDoubles shared_doubles() { return reinterpret_cast<double*>(stpn_shared_memory); }

// Begins to bring what lies there nearer. Changes no result.
STPN_DEVICE void prefetch(const Real* from) { asm volatile("prefetch.L1 [%0];" ::"l"(from)); }

// Four values from shared memory at once, from a multiple of four elements on.
STPN_DEVICE void load_four(const float* from, float (&to)[4]) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
}
STPN_DEVICE void load_four(const double* from, double (&to)[4]) {
    const double2 low = *reinterpret_cast<const double2*>(from), high = *reinterpret_cast<const double2*>(from + 2);
    to[0] = low.x, to[1] = low.y, to[2] = high.x, to[3] = high.y;
}

// All threads of the block meet here. `site` is for the shim, which leaves one out to see that the race is found.
STPN_DEVICE void barrier(int) { __syncthreads(); }

// The value of the thread `index ^ offset` of the warp, in which all threads take part.
STPN_DEVICE Real shuffle_xor(Real value, int offset) { return __shfl_xor_sync(0xffffffffu, value, offset); }

STPN_DEVICE float fused(float a, float b, float c) { return fmaf(a, b, c); }
STPN_DEVICE double fused(double a, double b, double c) { return fma(a, b, c); }
STPN_DEVICE float root(float value) { return sqrtf(value); }
STPN_DEVICE double root(double value) { return sqrt(value); }
STPN_DEVICE double double_exponential(double value) { return exp(value); }
STPN_DEVICE double double_logarithm(double value) { return log(value); }
STPN_DEVICE double double_log1p(double value) { return log1p(value); }
STPN_DEVICE double double_tangent(double value) { return tanh(value); }
STPN_DEVICE unsigned long long multiply_high(unsigned long long a, unsigned long long b) { return __umul64hi(a, b); }
STPN_DEVICE double double_root(double value) { return sqrt(value); }
STPN_DEVICE float tangent(float value) { return tanhf(value); }
STPN_DEVICE double tangent(double value) { return tanh(value); }
STPN_DEVICE float exponential(float value) { return expf(value); }
STPN_DEVICE double exponential(double value) { return exp(value); }
STPN_DEVICE float magnitude(float value) { return fabsf(value); }
STPN_DEVICE double magnitude(double value) { return fabs(value); }

// As many values as a thread has synapses, if they are kept in registers; values of its rows and of its columns.
template <int N> struct Values {
    Real values[N];
    STPN_DEVICE Real get(int index) const { return values[index]; }
    STPN_DEVICE void set(int index, Real value) { values[index] = value; }
};
#define STPN_OWN_VALUES Values<(spec.place == 0 ? own() : 1)>
#define STPN_ROW_VALUES Values<own_rows()>
#define STPN_COLUMN_VALUES Values<own_columns()>
// One for each environment of a block; a fixed number.
#define STPN_TILE_VALUES Values<own_tile()>
#define STPN_FIXED_VALUES(count) Values<(count)>
