// The sequence kernels of plastic layers as one unit: compiled by NVRTC for a device, and as C++ behind `shim/` for
// the CPU. Before it stand `STPN_REAL` (float or double), `STPN_SPEC` (the values of `Spec`),
// `STPN_THREADS`, `STPN_UNROLL` and `STPN_UNROLL_COLUMNS`. `src/source.rs` puts the same files together without a preprocessor.
#ifndef STPN_SHIM
#include "device.cuh"
#endif
#include "spec.cuh"
#include "layout.cuh"
#include "sums.cuh"
#include "operands.cuh"
#include "plastic_table.cuh"
#include "plastic_forward.cuh"
#include "plastic_backward.cuh"
#include "modulated_rule.cuh"
#include "modulated_forward.cuh"
#include "modulated_backward.cuh"
#include "reduce.cuh"
