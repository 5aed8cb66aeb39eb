// `kernels/device.cuh` for the CPU: the same names, every access to memory checked.
#pragma once

#include <cmath>
#include <type_traits>
#include <vector>

#include "machine.hpp"

#define STPN_DEVICE inline
#define STPN_KERNEL inline void
#define STPN_FORWARD_KERNEL inline void
#define STPN_ALONE_KERNEL inline void
#define STPN_GENERAL_KERNEL inline void
#define STPN_UNROLL
#define STPN_UNROLL_COLUMNS
#define STPN_UNROLL_ALWAYS

// Both element types have kernels of these names: each in a namespace that its file alone sees.
namespace {

typedef STPN_REAL Real;

// An element of a checked array: reading and writing it is noted.
template <class T> class Element {
public:
    typedef typename std::remove_const<T>::type Value;
    Element(T* data, stpn_shim::Region* region, long long at) : data_(data), region_(region), at_(at) {}
    Element(const Element&) = default;
    operator Value() const { return stpn_shim::Machine::running->reads(*region_, at_) ? data_[at_] : Value(); }
    const Element& operator=(Value value) const {
        if (stpn_shim::Machine::running->writes(*region_, at_)) data_[at_] = value;
        return *this;
    }
    const Element& operator=(const Element& other) const { return *this = Value(other); }

private:
    T* data_;
    stpn_shim::Region* region_;
    long long at_;
};

template <class T> class Checked {
public:
    Checked() : data_(nullptr), region_(nullptr), from_(0) {}
    Checked(T* data, stpn_shim::Region* region, long long from = 0) : data_(data), region_(region), from_(from) {}
    Element<T> operator[](long long at) const { return Element<T>(data_, region_, from_ + at); }
    Checked operator+(long long by) const { return Checked(data_, region_, from_ + by); }
    explicit operator bool() const { return data_ != nullptr; }
    long long place() const { return from_; }
    bool within() const { return region_ && from_ >= 0 && from_ < region_->len; }

private:
    T* data_;
    stpn_shim::Region* region_;
    long long from_;
};

template <class T> using Global = Checked<T>;
typedef Checked<Real> Shared;

STPN_DEVICE int thread_index() { return stpn_shim::Machine::running->thread(); }
STPN_DEVICE int block_index() { return stpn_shim::Machine::running->block(); }
STPN_DEVICE Shared shared_memory() {
    auto* machine = stpn_shim::Machine::running;
    return Shared(static_cast<Real*>(machine->shared()), &machine->shared_region());
}
template <class T> STPN_DEVICE void prefetch(Checked<T> from) {
    if (!from.within()) stpn_shim::Machine::running->misplaced();
}
STPN_DEVICE void load_four(Shared from, Real (&to)[4]) {
    // On a device this would be an error of alignment.
    if (from.place() % 4) stpn_shim::Machine::running->misplaced();
    for (int i = 0; i < 4; ++i) to[i] = from[i];
}
typedef Checked<double> SharedDoubles;
STPN_DEVICE SharedDoubles shared_doubles() {
    auto* machine = stpn_shim::Machine::running;
    return SharedDoubles(static_cast<double*>(machine->shared()), &machine->shared_region());
}
STPN_DEVICE void barrier(int site) { stpn_shim::Machine::running->barrier(site); }
STPN_DEVICE Real shuffle_xor(Real value, int offset) {
    return static_cast<Real>(stpn_shim::Machine::running->shuffle_xor(value, offset));
}

STPN_DEVICE Real fused(Real a, Real b, Real c) { return std::fma(a, b, c); }
STPN_DEVICE Real root(Real value) { return std::sqrt(value); }
STPN_DEVICE double double_exponential(double value) { return std::exp(value); }
STPN_DEVICE double double_logarithm(double value) { return std::log(value); }
STPN_DEVICE double double_log1p(double value) { return std::log1p(value); }
STPN_DEVICE double double_tangent(double value) { return std::tanh(value); }
STPN_DEVICE unsigned long long multiply_high(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
STPN_DEVICE double double_root(double value) { return std::sqrt(value); }
// In double precision and then rounded: what single precision gives is then the same with every C library.
STPN_DEVICE Real tangent(Real value) { return Real(std::tanh(double(value))); }
STPN_DEVICE Real exponential(Real value) { return Real(std::exp(double(value))); }
STPN_DEVICE Real magnitude(Real value) { return std::fabs(value); }

// Values of a thread, as many as the layer of the launch asks for.
class Values {
public:
    explicit Values(int count) : values_(count) {}
    Real get(int index) const { return values_.at(index); }
    void set(int index, Real value) { values_.at(index) = value; }

private:
    std::vector<Real> values_;
};
STPN_DEVICE int own();
STPN_DEVICE int own_rows();
STPN_DEVICE int own_columns();
STPN_DEVICE int own_tile();
struct ShimOwnValues : Values {
    ShimOwnValues() : Values(own()) {}
};
struct ShimRowValues : Values {
    ShimRowValues() : Values(own_rows()) {}
};
struct ShimColumnValues : Values {
    ShimColumnValues() : Values(own_columns()) {}
};
struct ShimTileValues : Values {
    ShimTileValues() : Values(own_tile()) {}
};
template <int N> struct ShimFixedValues : Values {
    ShimFixedValues() : Values(N) {}
};
#define STPN_OWN_VALUES ShimOwnValues
#define STPN_ROW_VALUES ShimRowValues
#define STPN_COLUMN_VALUES ShimColumnValues
#define STPN_TILE_VALUES ShimTileValues
#define STPN_FIXED_VALUES(count) ShimFixedValues<(count)>

}  // namespace
