//! The one error type of this crate.

use thiserror::Error;

/// What can go wrong on the way to a result of the device.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Options contradict one another.
    #[error("this layer is impossible: {problem}")]
    Layer {
        /// The option and what is wrong with it.
        problem: String,
    },

    /// A rollout contradicts itself or its layer.
    #[error("this rollout is impossible: {problem}")]
    Rollout {
        /// What is wrong with it.
        problem: String,
    },

    /// A step of the optimiser contradicts itself or its parameters.
    #[error("this step of the optimiser is impossible: {problem}")]
    Optimizer {
        /// What is wrong with it.
        problem: String,
    },

    /// A loss contradicts its steps.
    #[error("this loss is impossible: {problem}")]
    Loss {
        /// What is wrong with it.
        problem: String,
    },

    /// Energy cannot be measured where it is asked for.
    #[error("energy cannot be measured there: {problem}")]
    Energy {
        /// What is wrong.
        problem: String,
    },

    /// A layer is too large for the kernels.
    #[error(
        "the layer needs {needed} bytes of shared memory a block and the device has {limit}: use fewer units or inputs, \
         or the CPU (device = \"cpu\")"
    )]
    TooLarge {
        /// Bytes that a block needs at least.
        needed: usize,
        /// Bytes that it may have.
        limit: usize,
    },

    /// An array has another length than the layer and the extent ask for.
    #[error("{what}: expected {expected} values, got {got}")]
    Length {
        /// The array.
        what: &'static str,
        /// Values expected.
        expected: usize,
        /// Values that came.
        got: usize,
    },

    /// There is no driver, or it cannot be started.
    #[error(
        "no CUDA driver: {reason}. Install NVIDIA's driver (version {minimum} or later), or use the CPU \
         (device = \"cpu\")"
    )]
    NoDriver {
        /// What the system says.
        reason: String,
        /// The oldest version that would do.
        minimum: &'static str,
    },

    /// The driver knows only an older CUDA than the compiled kernels need.
    #[error("the CUDA driver is too old: it serves CUDA {found}, the kernels need {needed}. Update NVIDIA's driver")]
    OldDriver {
        /// CUDA version of the driver.
        found: String,
        /// CUDA version needed.
        needed: String,
    },

    /// The driver does not read what the compiler wrote.
    #[error(
        "the CUDA driver serves CUDA {driver} and does not read the kernels that NVRTC {compiler} wrote. Update NVIDIA's \
         driver, or put an NVRTC of the driver's version into LD_LIBRARY_PATH (pip install \
         \"nvidia-cuda-nvrtc-cu12<={driver}.999\")"
    )]
    NewCompiler {
        /// CUDA version of the driver.
        driver: String,
        /// Version of NVRTC.
        compiler: String,
    },

    /// The device of that number does not exist.
    #[error("no CUDA device {index}: there are {count}")]
    NoDevice {
        /// The number asked for.
        index: usize,
        /// Devices there are.
        count: usize,
    },

    /// The device cannot run the kernels.
    #[error("{name} has compute capability {found}; the kernels need {needed} or later")]
    OldDevice {
        /// The device.
        name: String,
        /// Its capability.
        found: String,
        /// The least that is needed.
        needed: &'static str,
    },

    /// NVRTC is not installed.
    #[error(
        "NVRTC, which compiles the kernels, is missing: {reason}. It is part of the CUDA toolkit 12, and of the Python \
         package nvidia-cuda-nvrtc-cu12: put its folder into LD_LIBRARY_PATH"
    )]
    NoCompiler {
        /// What the system says.
        reason: String,
    },

    /// NVRTC does not accept the kernels.
    #[error("the kernels do not compile for {arch}; this is an error of stpn, please report it:\n{log}")]
    Compile {
        /// The architecture.
        arch: String,
        /// What the compiler says.
        log: String,
    },

    /// The device's memory does not suffice.
    #[error(
        "out of memory on the device: {needed} bytes are needed and {free} are there. {fits} sequences would fit at a time \
         instead of {batch}"
    )]
    Memory {
        /// Bytes needed in all.
        needed: usize,
        /// Bytes that are free, or held by operands of the pass.
        free: usize,
        /// Sequences that would fit.
        fits: usize,
        /// Sequences asked for.
        batch: usize,
    },

    /// The device has no memory left.
    #[error("out of memory on the device ({what}): use shorter rollouts, fewer sequences at a time, or smaller layers")]
    NoMemory {
        /// What was done.
        what: &'static str,
    },

    /// A launch or copy failed.
    #[error("{what} failed on the device: {reason}")]
    Device {
        /// What was done.
        what: &'static str,
        /// What the driver says.
        reason: String,
    },
}

/// Result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
