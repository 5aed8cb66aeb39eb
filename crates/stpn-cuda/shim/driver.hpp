// Memory of the emulated driver.
#pragma once

#include <cstdint>

namespace stpn_shim {

// Bytes of the allocation that begins at that address, or 0.
long long allocated_bytes(std::uintptr_t address);

}  // namespace stpn_shim
