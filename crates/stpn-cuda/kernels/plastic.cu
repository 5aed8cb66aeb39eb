// The sequence kernels of the STPN family as one unit: compiled by NVRTC for a device, and as C++ behind `shim/` for
// the CPU. Before it stand `STPN_REAL` (float or double), `STPN_SPEC` (the values of `Spec`) and `STPN_THREADS`.
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
#include "reduce.cuh"
