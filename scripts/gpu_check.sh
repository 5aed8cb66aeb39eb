#!/bin/sh
# Checks the CUDA kernels, and trainings with them, on the machine's first NVIDIA device. Untested on hardware so far.
#
#   scripts/gpu_check.sh            builds the programs with cargo (and a C++ compiler) first
#   scripts/gpu_check.sh FOLDER     takes `device`, `maze_time` and `stpn` from FOLDER, e.g. built on another machine; the
#                                   golden cases must lie where they were when `device` was built
#
# Variables, for smaller machines: EXPERIMENT and UPDATES of the trainings (maze, 1000), RESUMED updates of the run that is
# killed (60), CASES to measure (`--case maze …`) and their REPEATS (9). TORCH is a Python with PyTorch, to compare with.
#
# Needs NVIDIA's driver, and NVRTC in LD_LIBRARY_PATH (CUDA toolkit 12, or pip install nvidia-cuda-nvrtc-cu12==12.9.86).
set -eu
cd "$(dirname "$0")/.."

if [ $# -ge 1 ]; then
    device=$1/device
    maze_time=$1/maze_time
    stpn=$1/stpn
else
    cargo build --release -p stpn --features cuda
    stpn=target/release/stpn
    cargo build --release -p stpn-cuda --features cuda --example maze_time
    # The path of the test program is in cargo's messages.
    device=$(cargo test --release -p stpn-cuda --features cuda,shim --test device --no-run 2>&1 |
        sed -n 's/.*(\(target[^)]*\/device-[0-9a-f]*\)).*/\1/p')
    maze_time=target/release/examples/maze_time
fi
for program in "$device" "$maze_time" "$stpn"; do
    [ -x "$program" ] || { echo "$program is missing" >&2; exit 1; }
done

echo "== device =="
nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv || {
    echo "nvidia-smi fails: is there a driver?" >&2
    exit 1
}

echo "== golden cases of all cells, resets, dense layers, convolutions, energy, losses, rollouts, the optimiser, errors =="
output=$(timeout 180 "$device" on_device --nocapture --test-threads 1 2>&1) || { echo "$output"; exit 1; }
echo "$output"
# Without a device the same tests pass by what their errors say.
echo "$output" | grep -Eq '(^|\.\.\. )on ' || { echo "the tests did not run on a device" >&2; exit 1; }

echo "== times of layers of the maze's size =="
timeout 60 "$maze_time"

echo "== learning of the maze's and of Pong's STPN, and whole updates of the maze, on the device and on the CPU =="
for where in cuda cpu; do
    echo "$where:"
    timeout 90 "$stpn" bench updates ${CASES:---case maze --case maze-update --case pong} --device $where \
        --repeats "${REPEATS:-9}"
done

if [ -n "${TORCH:-}" ]; then
    echo "== the same step in plain PyTorch, on the device =="
    timeout 60 "$TORCH" benches/torch_stpn.py --case maze --device cuda
    timeout 60 "$TORCH" benches/torch_stpn.py --case pong --device cuda
else
    echo "PyTorch is left out: TORCH=PYTHON, of a Python that has it, times the same step in it"
fi

runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
experiment=${EXPERIMENT:-maze}
updates=${UPDATES:-1000}
resumed=${RESUMED:-60}
# Shows a metric of the last entry of a run.
last() {
    tail -n 1 "$runs/$1/metrics.jsonl" | sed -n "s|.*\"$2\":\([^,}]*\).*|\1|p"
}

# Runs a command within so many seconds, its words in a file; shows the end of that if it fails. Code 124: out of time.
within() {
    seconds=$1
    shift
    timeout "$seconds" "$@" >"$runs/log" 2>&1 && return 0
    code=$?
    [ $code = 124 ] || tail -n 20 "$runs/log" >&2
    return $code
}

echo "== $updates updates of $experiment, on the device and on the CPU =="
for where in cuda cpu; do
    within 60 "$stpn" train "$experiment" --device $where --updates "$updates" --set log.every=10 \
        --run-dir "$runs/$where" || [ $? = 124 ] || exit 1
    echo "$where: update $(last $where update), return $(last $where charts/episodic_return)," \
        "$(last $where charts/SPS) steps per second, seconds of an update: $(last $where time/rollout_seconds)" \
        "rollout, $(last $where time/learn_seconds) learning"
done

echo "== the same agent evaluated on the device and on the CPU =="
for where in cuda cpu; do
    echo "$where:"
    timeout 60 "$stpn" eval "$runs/cuda" --episodes 100 --device $where | grep -E "mean return|energy"
done

echo "== PPO step by step, with both kinds of actions; sequences known in advance, also but for the action before; games =="
for task in cartpole pendulum-masked memory "popgym repeat-previous" "popgym battleship"; do
    name=$(echo "$task" | tr ' ' '-')
    for where in cuda cpu; do
        # shellcheck disable=SC2086 # Several words.
        within 25 "$stpn" train $task --device $where --updates 40 --set log.every=10 --set evaluation.every=0 \
            --run-dir "$runs/$name-$where" || [ $? = 124 ] || exit 1
        echo "$name, $where: update $(last $name-$where update), return $(last $name-$where charts/episodic_return)," \
            "$(last $name-$where charts/SPS) steps per second"
    done
done

echo "== a supervised task: three epochs, and the best network on test data =="
for where in cuda cpu; do
    within 25 "$stpn" train art --device $where --updates 3 --set task.training_sequences=20000 \
        --run-dir "$runs/art-$where" || [ $? = 124 ] || exit 1
    echo "art, $where: loss $(last art-$where losses/training_loss)," \
        "validated $(last art-$where charts/validation_accuracy)"
done

echo "== $resumed updates, killed and resumed: the same bits =="
within 60 "$stpn" train "$experiment" --device cuda --updates "$resumed" --run-dir "$runs/whole"
timeout 60 "$stpn" train "$experiment" --device cuda --updates "$resumed" --set checkpoint.every=5 \
    --run-dir "$runs/killed" >"$runs/log" 2>&1 &
while [ ! -e "$runs/killed/checkpoints/update-00000005/manifest.json" ]; do
    kill -0 $! || { tail -n 20 "$runs/log" >&2; exit 1; }
    sleep 0.1
done
# Of `timeout` and of the program below it.
pkill -9 -P $! || true
kill -9 $! || true
within 60 "$stpn" resume "$runs/killed"
parameters=checkpoints/$(printf 'update-%08d' "$resumed")/parameters.safetensors
cmp "$runs/whole/$parameters" "$runs/killed/$parameters"

if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck; do
        echo "== compute-sanitizer $tool =="
        for tests in on_device_golden on_device_a_; do
            code=0
            timeout 60 compute-sanitizer --tool "$tool" --error-exitcode 1 "$device" $tests --test-threads 1 || code=$?
            [ $code = 0 ] || [ $code = 124 ] || exit 1
            [ $code = 0 ] || echo "$tool did not end in time: not a fault"
        done
    done
else
    echo "compute-sanitizer is not installed: memcheck, racecheck and initcheck are left out"
fi
echo "all checks passed"
