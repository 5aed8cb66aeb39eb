//! The fused kernels of a cell, for PyTorch.
//!
//! Tensors come as arrays of numpy that show the same memory, and results go as arrays that own what Rust made: nothing
//! is copied on the way. What the forward pass keeps for its backward pass is a [`Tape`], which Python holds.

use std::sync::Arc;
use std::time::Instant;

use candle_core::{DType, Device};
use numpy::ndarray::{ArrayD, IxDyn};
use numpy::{Element, IntoPyArray, PyArray1, PyArrayDyn, PyReadonlyArrayDyn};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use stpn::Stream;
use stpn::agents::memory::{gibibytes, machine};
use stpn::cells::kernels::blocks::{self, BatchTape, Operands, Sizes};
use stpn::cells::kernels::{Extent, FusedKernel, Prepared, Real, SequenceKernel};
use stpn::cells::{Cell, CellConfig, Initializer, Kernel, StateField};
use stpn_random::Purpose;

use crate::arrays::scattered;
use crate::errors::{StpnError, raised_by_cell, wrong};
use crate::threads;

/// Layers of fewer weights than this need no look at the memory.
const SMALL: usize = 1 << 24;

/// Bytes of a parameter while a layer is made: initial values in double precision here and for PyTorch, and PyTorch's
/// own in single precision. With its gradient it then takes no more.
const BYTES: f64 = 20.0;

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
    F32(Kept<f32>),
    F64(Kept<f64>),
}

struct Kept<T: Real> {
    prepared: Arc<dyn Prepared<T>>,
    tape: BatchTape,
}

/// Single or double: what is chosen by a tensor's dtype.
trait Precision: Real + Element {
    /// The array, if it is of this precision.
    fn array<'a, 'py>(array: &'a Array<'py>) -> PyResult<&'a PyReadonlyArrayDyn<'py, Self>>;

    /// The kernel for it.
    fn kernel(kernel: Arc<dyn FusedKernel>) -> Arc<dyn SequenceKernel<Self>>;

    /// What a forward pass keeps, whatever its precision.
    fn taped(kept: Kept<Self>) -> Taped;
}

macro_rules! precision {
    ($number:ty, $variant:ident) => {
        impl Precision for $number {
            fn array<'a, 'py>(array: &'a Array<'py>) -> PyResult<&'a PyReadonlyArrayDyn<'py, Self>> {
                match array {
                    Array::$variant(array) => Ok(array),
                    _ => Err(wrong("parameters, x, states and gradients must all have one dtype")),
                }
            }

            fn kernel(kernel: Arc<dyn FusedKernel>) -> Arc<dyn SequenceKernel<Self>> {
                kernel
            }

            fn taped(kept: Kept<Self>) -> Taped {
                Taped::$variant(kept)
            }
        }
    };
}

precision!(f32, F32);
precision!(f64, F64);

#[pymethods]
impl Layer {
    /// `options` is JSON: the cell's `name` and options, as in a configuration. `seed` is that of initial values.
    #[new]
    fn new(options: &str, input: usize, hidden: usize, seed: u64) -> PyResult<Self> {
        let config: CellConfig = serde_json::from_str(options).map_err(|error| wrong(format!("cell: {error}")))?;
        refuse_larger_than_memory(&config, input, hidden)?;
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

    /// How many parameters it was thought to have before it was made, as larger ones are.
    fn foreseen(&self) -> Option<f64> {
        parameters(&self.config, self.sizes.input, self.sizes.hidden)
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
        let operands = (&parameters, &x, &state);
        match &parameters {
            Array::F32(_) => self.run::<f32>(py, operands, resets, tape),
            Array::F64(_) => self.run::<f64>(py, operands, resets, tape),
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
        let operands = (&x, &hidden, &grad_hidden, grad_state.as_ref());
        match &tape.taped {
            Taped::F32(kept) => self.run_back(py, tape, kept, operands, want_x),
            Taped::F64(kept) => self.run_back(py, tape, kept, operands, want_x),
        }
    }

    /// Seconds of each of `repeats` forward and backward passes in Rust alone, from the same operands: what a layer of
    /// PyTorch is measured against. The loss is half the sum of the squared activities.
    fn seconds(
        &self,
        py: Python<'_>,
        parameters: Array<'_>,
        x: Array<'_>,
        state: Array<'_>,
        repeats: usize,
    ) -> PyResult<Vec<f64>> {
        let operands = (&parameters, &x, &state);
        match &parameters {
            Array::F32(_) => self.measured::<f32>(py, operands, repeats),
            Array::F64(_) => self.measured::<f64>(py, operands, repeats),
        }
    }
}

impl Layer {
    fn kernel(&self) -> PyResult<Arc<dyn FusedKernel>> {
        self.kernel.clone().ok_or_else(|| wrong("these options have no fused kernel"))
    }

    fn run<'py, T: Precision>(
        &self,
        py: Python<'py>,
        (parameters, x, state): (&Array<'_>, &Array<'_>, &Array<'_>),
        resets: Option<PyReadonlyArrayDyn<'_, u8>>,
        tape: bool,
    ) -> PyResult<Forward<'py>> {
        let kernel = T::kernel(self.kernel()?);
        let (parameters, x, state) = (T::array(parameters)?, T::array(x)?, T::array(state)?);
        let resets = resets.map(|resets| Ok::<_, PyErr>(resets.as_slice().map_err(scattered)?.to_vec())).transpose()?;
        let extent = self.extent(x, resets.as_deref(), state)?;
        let parameters = slice(parameters, "parameters", &[self.sizes.parameters])?;
        let (x, state) = (x.as_slice().map_err(scattered)?, state.as_slice().map_err(scattered)?);
        let operands = Operands { extent, sizes: self.sizes, x, resets: resets.as_deref() };
        let (prepared, out) = threads::run(py, || {
            let prepared = kernel.prepare(parameters);
            let out = blocks::forward(prepared.as_ref(), operands, state, tape);
            (prepared, out)
        })?;
        let tape = out.tape.map(|tape| Tape { extent, resets, taped: T::taped(Kept { prepared, tape }) });
        let hidden = array(py, out.hidden, &[extent.steps, extent.batch, self.sizes.hidden])?;
        Ok((hidden, array(py, out.state, &[extent.batch, self.sizes.state])?, tape))
    }

    fn run_back<'py, T: Precision>(
        &self,
        py: Python<'py>,
        tape: &Tape,
        kept: &Kept<T>,
        (x, hidden, grad_hidden, grad_state): (&Array<'_>, &Array<'_>, &Array<'_>, Option<&Array<'_>>),
        want_x: bool,
    ) -> PyResult<Backward<'py>> {
        let Extent { steps, batch } = tape.extent;
        let x = slice(T::array(x)?, "x", &[steps, batch, self.sizes.input])?;
        let hidden = slice(T::array(hidden)?, "the activities", &[steps, batch, self.sizes.hidden])?;
        let grad_hidden = slice(T::array(grad_hidden)?, "their gradient", &[steps, batch, self.sizes.hidden])?;
        let of_state = |grad| slice(T::array(grad)?, "the state's gradient", &[batch, self.sizes.state]);
        let grad_state = grad_state.map(of_state).transpose()?;
        let operands = Operands { extent: tape.extent, sizes: self.sizes, x, resets: tape.resets.as_deref() };
        let prepared = kept.prepared.as_ref();
        let out = threads::run(py, || {
            blocks::backward(prepared, operands, hidden, &kept.tape, grad_hidden, grad_state, want_x)
        })?;
        let x = out.x.map(|grad| array(py, grad, &[steps, batch, self.sizes.input])).transpose()?;
        let parameters = array(py, out.parameters, &[self.sizes.parameters])?;
        Ok((parameters, x, array(py, out.state, &[batch, self.sizes.state])?))
    }

    /// Seconds that `repeats` forward and backward passes take where nobody but Rust has a part in them, one by one.
    fn measured<T: Precision>(
        &self,
        py: Python<'_>,
        (parameters, x, state): (&Array<'_>, &Array<'_>, &Array<'_>),
        repeats: usize,
    ) -> PyResult<Vec<f64>> {
        let kernel = T::kernel(self.kernel()?);
        let (parameters, x, state) = (T::array(parameters)?, T::array(x)?, T::array(state)?);
        let extent = self.extent(x, None, state)?;
        let parameters = slice(parameters, "parameters", &[self.sizes.parameters])?;
        let (x, state) = (x.as_slice().map_err(scattered)?, state.as_slice().map_err(scattered)?);
        let operands = Operands { extent, sizes: self.sizes, x, resets: None };
        let pass = || {
            let start = Instant::now();
            let prepared = kernel.prepare(parameters);
            let out = blocks::forward(prepared.as_ref(), operands, state, true);
            if let Some(tape) = &out.tape {
                // The gradient of half the sum of squares.
                blocks::backward(prepared.as_ref(), operands, &out.hidden, tape, &out.hidden, None, false);
            }
            start.elapsed().as_secs_f64()
        };
        threads::run(py, || (0..repeats).map(|_| pass()).collect())
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

/// Refuses sizes whose parameters the machine has no memory for: to allocate them would end the whole process.
fn refuse_larger_than_memory(config: &CellConfig, input: usize, hidden: usize) -> PyResult<()> {
    if input.max(hidden).saturating_mul(hidden) < SMALL {
        return Ok(());
    }
    let Some(parameters) = parameters(config, input, hidden) else { return Ok(()) };
    let (needed, there) = (parameters * BYTES, machine());
    if needed <= there {
        return Ok(());
    }
    let [needed, there] = [needed, there].map(gibibytes);
    Err(PyMemoryError::new_err(format!(
        "input_size {input} and hidden_size {hidden}: {parameters:.3e} parameters and their gradients take about \
         {needed} of memory, and this machine has {there}"
    )))
}

/// How many parameters a cell of these sizes has; none if it refuses small ones. They are a + b I + c H + d I H + e H²,
/// and small cells tell the factors.
fn parameters(config: &CellConfig, input: usize, hidden: usize) -> Option<f64> {
    let count = |input, hidden| {
        let mut stream = Stream::new(0, Purpose::Parameters, 0);
        let mut init = Initializer::new(&mut stream, DType::F64, &Device::Cpu);
        Some(config.build(input, hidden, Kernel::Auto, &mut init).ok()?.parameters().count() as f64)
    };
    let (origin, wider, taller, both, tallest) = (count(2, 2)?, count(3, 2)?, count(2, 3)?, count(3, 3)?, count(2, 4)?);
    // Newton's form, from (2, 2).
    let (i, h) = (input as f64 - 2.0, hidden as f64 - 2.0);
    let (of_i, of_h) = (wider - origin, taller - origin);
    Some(
        origin
            + of_i * i
            + of_h * h
            + (both - taller - of_i) * i * h
            + (tallest - 2.0 * taller + origin) / 2.0 * h * (h - 1.0),
    )
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
