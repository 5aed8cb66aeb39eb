//! The fused kernels of a cell, for PyTorch.
//!
//! Tensors come as arrays of numpy that show the same memory, and results go as arrays that own what Rust made: nothing
//! is copied on the way. What the forward pass keeps for its backward pass is a [`Tape`], which Python holds.

use std::sync::Arc;

use candle_core::{DType, Device};
use numpy::ndarray::{ArrayD, IxDyn};
use numpy::{Element, IntoPyArray, PyArray1, PyArrayDyn, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use stpn::Stream;
use stpn::cells::kernels::blocks::{self, BatchTape, Operands, Sizes};
use stpn::cells::kernels::{Extent, FusedKernel, Prepared, Real, SequenceKernel};
use stpn::cells::{Cell, CellConfig, Initializer, Kernel, StateField};
use stpn_random::Purpose;

use crate::arrays::scattered;
use crate::errors::{StpnError, raised_by_cell, wrong};
use crate::threads;

/// A cell of given sizes and options. It holds no parameters: they are PyTorch's.
#[pyclass(frozen)]
pub struct Layer {
    config: CellConfig,
    cell: Box<dyn Cell>,
    kernel: Option<Arc<dyn FusedKernel>>,
    sizes: Sizes,
}

/// A parameter: its name, its shape, and initial values, row-major.
type Parameter<'py> = (String, Vec<usize>, Bound<'py, PyArray1<f64>>);

/// Activities `[T, B, H]`, final states `[B, S]`, and the tape, if asked for.
type Forward<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Tape>);

/// Gradients: of the packed parameters, of x if asked for, and of the initial states `[B, S]`.
type Backward<'py> = (Bound<'py, PyAny>, Option<Bound<'py, PyAny>>, Bound<'py, PyAny>);

/// An array in single or in double precision.
#[derive(FromPyObject)]
pub enum Array<'py> {
    /// Single.
    F32(PyReadonlyArrayDyn<'py, f32>),
    /// Double.
    F64(PyReadonlyArrayDyn<'py, f64>),
}

/// What a forward pass keeps for its backward pass.
#[pyclass(frozen)]
pub struct Tape {
    extent: Extent,
    resets: Option<Vec<u8>>,
    taped: Taped,
}

enum Taped {
    F32(Arc<dyn Prepared<f32>>, BatchTape),
    F64(Arc<dyn Prepared<f64>>, BatchTape),
}

/// Keeps what a forward pass made for its backward pass.
type Taping<T> = fn(Arc<dyn Prepared<T>>, BatchTape) -> Taped;

#[pymethods]
impl Layer {
    /// `options` is JSON: the cell's `name` and options, as in a configuration. `seed` is that of initial values.
    #[new]
    fn new(options: &str, input: usize, hidden: usize, seed: u64) -> PyResult<Self> {
        let config: CellConfig = serde_json::from_str(options).map_err(|error| wrong(format!("cell: {error}")))?;
        let mut stream = Stream::new(seed, Purpose::Parameters, 0);
        let mut init = Initializer::new(&mut stream, DType::F64, &Device::Cpu);
        let cell = config.build(input, hidden, Kernel::Auto, &mut init).map_err(raised_by_cell)?;
        let state = cell.state_layout().iter().map(StateField::len).sum();
        let sizes = Sizes { input, hidden, state, parameters: cell.parameters().count() };
        Ok(Self { kernel: cell.fused(), config, cell, sizes })
    }

    /// Its parameters, in order.
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Vec<Parameter<'py>>> {
        let values = |(name, var): (&str, &candle_core::Var)| {
            let values = var.flatten_all()?.to_vec1::<f64>()?;
            Ok((name.to_string(), var.dims().to_vec(), values.into_pyarray(py)))
        };
        let all: candle_core::Result<Vec<_>> = self.cell.parameters().iter().map(values).collect();
        all.map_err(|error| StpnError::new_err(error.to_string()))
    }

    /// The fields of its state, in order, with their shapes in one element of a batch.
    fn state_fields(&self) -> Vec<(&'static str, Vec<usize>)> {
        self.cell.state_layout().iter().map(|field| (field.name, field.shape.clone())).collect()
    }

    /// Its name and all options, as JSON.
    fn options(&self) -> PyResult<String> {
        serde_json::to_string(&self.config).map_err(|error| StpnError::new_err(error.to_string()))
    }

    /// Whether these options have a fused kernel.
    #[getter]
    fn fused(&self) -> bool {
        self.kernel.is_some()
    }

    /// A sequence x `[T, B, I]` from states `[B, S]`, with packed parameters. `resets` `[T, B]` is 1 where an episode
    /// starts.
    fn forward<'py>(
        &self,
        py: Python<'py>,
        parameters: Array<'_>,
        x: Array<'_>,
        resets: Option<PyReadonlyArrayDyn<'_, u8>>,
        state: Array<'_>,
        tape: bool,
    ) -> PyResult<Forward<'py>> {
        let resets = resets.map(|resets| Ok::<_, PyErr>(resets.as_slice().map_err(scattered)?.to_vec())).transpose()?;
        let kernel = self.kernel()?;
        match (&parameters, &x, &state) {
            (Array::F32(parameters), Array::F32(x), Array::F32(state)) => {
                self.run::<f32>(py, kernel, parameters, x, resets, state, tape.then_some(Taped::F32))
            }
            (Array::F64(parameters), Array::F64(x), Array::F64(state)) => {
                self.run::<f64>(py, kernel, parameters, x, resets, state, tape.then_some(Taped::F64))
            }
            _ => Err(wrong("x, the state and the parameters have not one dtype")),
        }
    }

    /// The exact backward pass of the forward pass that made `tape`, with the same x and its activities.
    #[expect(clippy::too_many_arguments, reason = "a gradient for each result, and what the forward pass had")]
    fn backward<'py>(
        &self,
        py: Python<'py>,
        tape: &Tape,
        x: Array<'_>,
        hidden: Array<'_>,
        grad_hidden: Array<'_>,
        grad_state: Option<Array<'_>>,
        want_x: bool,
    ) -> PyResult<Backward<'py>> {
        let wrong_dtype = || wrong("x, activities and gradients have not the dtype of the forward pass");
        match (&tape.taped, &x, &hidden, &grad_hidden) {
            (Taped::F32(prepared, kept), Array::F32(x), Array::F32(hidden), Array::F32(grad)) => {
                let state = match &grad_state {
                    None => None,
                    Some(Array::F32(state)) => Some(state),
                    Some(Array::F64(_)) => return Err(wrong_dtype()),
                };
                self.run_back(py, tape, (prepared.as_ref(), kept), x, hidden, grad, state, want_x)
            }
            (Taped::F64(prepared, kept), Array::F64(x), Array::F64(hidden), Array::F64(grad)) => {
                let state = match &grad_state {
                    None => None,
                    Some(Array::F64(state)) => Some(state),
                    Some(Array::F32(_)) => return Err(wrong_dtype()),
                };
                self.run_back(py, tape, (prepared.as_ref(), kept), x, hidden, grad, state, want_x)
            }
            _ => Err(wrong_dtype()),
        }
    }
}

impl Layer {
    fn kernel(&self) -> PyResult<Arc<dyn FusedKernel>> {
        self.kernel.clone().ok_or_else(|| wrong("these options have no fused kernel"))
    }

    #[expect(clippy::too_many_arguments, reason = "those of a sequence")]
    fn run<'py, T: Real + Element>(
        &self,
        py: Python<'py>,
        kernel: Arc<dyn SequenceKernel<T>>,
        parameters: &PyReadonlyArrayDyn<'_, T>,
        x: &PyReadonlyArrayDyn<'_, T>,
        resets: Option<Vec<u8>>,
        state: &PyReadonlyArrayDyn<'_, T>,
        taped: Option<Taping<T>>,
    ) -> PyResult<Forward<'py>> {
        let extent = self.extent(x, resets.as_deref(), state)?;
        let parameters = slice(parameters, "parameters", &[self.sizes.parameters])?;
        let (x, state) = (x.as_slice().map_err(scattered)?, state.as_slice().map_err(scattered)?);
        let operands = Operands { extent, sizes: self.sizes, x, resets: resets.as_deref() };
        let (prepared, out) = threads::run(py, || {
            let prepared = kernel.prepare(parameters);
            let out = blocks::forward(prepared.as_ref(), operands, state, taped.is_some());
            (prepared, out)
        })?;
        let tape = taped.zip(out.tape).map(|(taped, tape)| Tape { extent, resets, taped: taped(prepared, tape) });
        let hidden = array(py, out.hidden, &[extent.steps, extent.batch, self.sizes.hidden])?;
        Ok((hidden, array(py, out.state, &[extent.batch, self.sizes.state])?, tape))
    }

    #[expect(clippy::too_many_arguments, reason = "those of a backward pass")]
    fn run_back<'py, T: Real + Element>(
        &self,
        py: Python<'py>,
        tape: &Tape,
        (prepared, kept): (&dyn Prepared<T>, &BatchTape),
        x: &PyReadonlyArrayDyn<'_, T>,
        hidden: &PyReadonlyArrayDyn<'_, T>,
        grad_hidden: &PyReadonlyArrayDyn<'_, T>,
        grad_state: Option<&PyReadonlyArrayDyn<'_, T>>,
        want_x: bool,
    ) -> PyResult<Backward<'py>> {
        let Extent { steps, batch } = tape.extent;
        let x = slice(x, "x", &[steps, batch, self.sizes.input])?;
        let hidden = slice(hidden, "the activities", &[steps, batch, self.sizes.hidden])?;
        let grad_hidden = slice(grad_hidden, "their gradient", &[steps, batch, self.sizes.hidden])?;
        let grad_state = grad_state.map(|grad| slice(grad, "the state's gradient", &[batch, self.sizes.state]));
        let grad_state = grad_state.transpose()?;
        let operands = Operands { extent: tape.extent, sizes: self.sizes, x, resets: tape.resets.as_deref() };
        let out =
            threads::run(py, || blocks::backward(prepared, operands, hidden, kept, grad_hidden, grad_state, want_x))?;
        let x = out.x.map(|grad| array(py, grad, &[steps, batch, self.sizes.input])).transpose()?;
        let parameters = array(py, out.parameters, &[self.sizes.parameters])?;
        Ok((parameters, x, array(py, out.state, &[batch, self.sizes.state])?))
    }

    /// Steps and batch of x `[T, B, I]`; refuses resets and states that do not fit it.
    fn extent<T: Element>(
        &self,
        x: &PyReadonlyArrayDyn<'_, T>,
        resets: Option<&[u8]>,
        state: &PyReadonlyArrayDyn<'_, T>,
    ) -> PyResult<Extent> {
        let (got, input) = (x.as_array().shape().to_vec(), self.sizes.input);
        let &[steps, batch, width] = got.as_slice() else {
            return Err(wrong(format!("x is {got:?}; expected [T, B, {input}]")));
        };
        if width != input || steps == 0 || batch == 0 {
            return Err(wrong(format!("x is {got:?}; expected [T ≥ 1, B ≥ 1, {input}]")));
        }
        let (got, expected) = (state.as_array().shape().to_vec(), vec![batch, self.sizes.state]);
        if got != expected {
            return Err(wrong(format!("the state is {got:?}; expected {expected:?}")));
        }
        match resets {
            Some(resets) if resets.len() != steps * batch => {
                Err(wrong(format!("resets has {} elements; expected [{steps}, {batch}]", resets.len())))
            }
            _ => Ok(Extent { steps, batch }),
        }
    }
}

/// The values of an array of that shape.
fn slice<'a, T: Element>(array: &'a PyReadonlyArrayDyn<'_, T>, what: &str, shape: &[usize]) -> PyResult<&'a [T]> {
    let got = array.as_array().shape().to_vec();
    if got != shape {
        return Err(wrong(format!("{what}: {got:?}; expected {shape:?}")));
    }
    array.as_slice().map_err(scattered)
}

/// An array that owns `values`.
fn array<'py, T: Element>(py: Python<'py>, values: Vec<T>, shape: &[usize]) -> PyResult<Bound<'py, PyAny>> {
    let array = ArrayD::from_shape_vec(IxDyn(shape), values);
    let array: Bound<'py, PyArrayDyn<T>> =
        array.map_err(|error| StpnError::new_err(error.to_string()))?.into_pyarray(py);
    Ok(array.into_any())
}
