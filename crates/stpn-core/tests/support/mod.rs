//! What the integration tests of the cells share.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use stpn_core::kernels::{FusedKernel, Instructions};
use stpn_core::{Cell, CellConfig, Initializer, Kernel, State};
use stpn_random::{Purpose, Stream};

/// A cell on the CPU with initial values from a test stream.
pub fn build(config: &CellConfig, input: usize, hidden: usize, dtype: DType) -> Box<dyn Cell> {
    let mut stream = Stream::new(7, Purpose::Test, 0);
    let mut init = Initializer::new(&mut stream, dtype, &Device::Cpu);
    config.build(input, hidden, Kernel::Auto, &mut init).unwrap()
}

/// The kernel, with an instruction set of choice, of a cell that must have one.
pub fn kernel(config: &CellConfig, input: usize, hidden: usize, instructions: Instructions) -> Arc<dyn FusedKernel> {
    build(config, input, hidden, DType::F32).fused().unwrap().with_instructions(instructions)
}

/// Replaces every parameter by `value(name)`.
pub fn set_parameters(cell: &dyn Cell, value: impl Fn(&str) -> Tensor) {
    for (name, var) in cell.parameters().iter() {
        let value = value(name);
        assert_eq!(value.dims(), var.dims(), "shape of parameter {name}");
        var.set(&value).unwrap();
    }
}

/// Standard normal values times `scale`, from the test stream of that index.
pub fn normal(shape: &[usize], scale: f64, index: u64, dtype: DType) -> Tensor {
    let mut stream = Stream::new(11, Purpose::Test, index);
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| scale * stream.normal()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

/// A random state of small values.
pub fn random_state(cell: &dyn Cell, batch: usize) -> State {
    let field = |(index, field): (usize, &stpn_core::StateField)| {
        let shape: Vec<usize> = std::iter::once(batch).chain(field.shape.iter().copied()).collect();
        (field.name, normal(&shape, 0.3, 100 + index as u64, cell.dtype()))
    };
    State::new(batch, cell.state_layout().iter().enumerate().map(field).collect())
}

/// All elements as f64.
pub fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

/// Checks shapes and the error relative to the norm of `want`; NaN anywhere is an error.
pub fn close(got: &Tensor, want: &Tensor, tolerance: f64) -> Result<(), String> {
    if got.dims() != want.dims() {
        return Err(format!("shape {:?}, want {:?}", got.dims(), want.dims()));
    }
    let (got, want) = (values(got), values(want));
    let norm = |sum: f64| sum.sqrt();
    let error = norm(got.iter().zip(&want).map(|(g, w)| (g - w).powi(2)).sum());
    let scale = norm(want.iter().map(|w| w * w).sum());
    let relative = if scale == 0.0 { error } else { error / scale };
    if relative <= tolerance { Ok(()) } else { Err(format!("relative error {relative:.3e} > {tolerance:.0e}")) }
}
