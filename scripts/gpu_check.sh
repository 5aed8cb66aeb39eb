#!/bin/sh
# Checks the CUDA kernels on the machine's first NVIDIA device, within eight minutes. Untested on hardware so far.
#
#   scripts/gpu_check.sh            builds the programs with cargo (and a C++ compiler) first
#   scripts/gpu_check.sh FOLDER     takes `device` and `maze_time` from FOLDER, e.g. built on another machine; the golden
#                                   cases must lie where they were when `device` was built
#
# Needs NVIDIA's driver, and NVRTC in LD_LIBRARY_PATH (CUDA toolkit 12, or pip install nvidia-cuda-nvrtc-cu12==12.9.86).
set -eu
cd "$(dirname "$0")/.."

if [ $# -ge 1 ]; then
    device=$1/device
    maze_time=$1/maze_time
else
    cargo build --release -p stpn-cuda --features cuda --example maze_time
    # The path of the test program is in cargo's messages.
    device=$(cargo test --release -p stpn-cuda --features cuda,shim --test device --no-run 2>&1 |
        sed -n 's/.*(\(target[^)]*\/device-[0-9a-f]*\)).*/\1/p')
    maze_time=target/release/examples/maze_time
fi
for program in "$device" "$maze_time"; do
    [ -x "$program" ] || { echo "$program is missing" >&2; exit 1; }
done

echo "== device =="
nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv || {
    echo "nvidia-smi fails: is there a driver?" >&2
    exit 1
}

echo "== golden cases of all cells, resets, dense layers, the optimiser, errors =="
output=$(timeout 180 "$device" on_device --nocapture --test-threads 1 2>&1) || { echo "$output"; exit 1; }
echo "$output"
# Without a device the same tests pass by what their errors say.
echo "$output" | grep -q '^on ' || { echo "the tests did not run on a device" >&2; exit 1; }

echo "== times of layers of the maze's size =="
timeout 60 "$maze_time"

if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck; do
        echo "== compute-sanitizer $tool =="
        timeout 80 compute-sanitizer --tool "$tool" --error-exitcode 1 "$device" on_device_golden --test-threads 1
    done
else
    echo "compute-sanitizer is not installed: memcheck, racecheck and initcheck are left out"
fi
echo "all checks passed"
