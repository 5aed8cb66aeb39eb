//! The fused kernels as a differentiable candle operator.
//!
//! A candle operator returns one tensor and has no place for what its backward needs. So a sequence is two operators
//! that share a record: the first maps (parameters, x, initial state) to the activities and keeps the tape; the
//! second, which depends on the first, hands out the final state. On the way back the second runs first and leaves
//! its gradient in the record for the first. Where the loss does not use the final state, the second never runs, and
//! nothing is copied for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{CpuStorage, CustomOp1, CustomOp3, DType, Layout, Shape, Tensor};

use super::blocks::{self, BatchTape, Operands, Sizes};
use super::{Extent, FusedKernel, Prepared, Real, SequenceKernel};
use crate::{Error, Parameters, Result, Sequence, State, StateField};

/// [`crate::Cell::sequence`] by a fused kernel: differentiable in x, every parameter and the initial state.
///
/// The tape lives as long as the graph; where nothing that goes in is tracked, there is none. The backward pass may
/// be repeated.
///
/// # Errors
/// Fails on shapes and dtypes that do not fit.
pub fn sequence(
    kernel: Arc<dyn FusedKernel>,
    parameters: &Parameters,
    layout: &[StateField],
    x: &Tensor,
    resets: Option<&Tensor>,
    state: &State,
) -> Result<Sequence> {
    match x.dtype() {
        DType::F64 => run::<f64>(kernel, parameters, layout, x, resets, state),
        _ => run::<f32>(kernel, parameters, layout, x, resets, state),
    }
}

fn run<T: Real>(
    kernel: Arc<dyn SequenceKernel<T>>,
    parameters: &Parameters,
    layout: &[StateField],
    x: &Tensor,
    resets: Option<&Tensor>,
    state: &State,
) -> Result<Sequence> {
    let (steps, batch, input) = x.dims3()?;
    let state_len = layout.iter().map(StateField::len).sum();
    for field in layout {
        let got = state.get(field.name)?.dims();
        if got.first() != Some(&batch) || got[1..] != field.shape {
            let expected = format!("[{batch}, {:?}]", field.shape);
            return Err(Error::Shape { what: format!("state.{}", field.name), expected, got: got.to_vec() });
        }
    }
    let packed = parameters.packed()?;
    let state = match layout.is_empty() {
        true => Tensor::zeros((batch, 0), x.dtype(), x.device())?,
        false => state.packed()?.contiguous()?,
    };
    let x = x.contiguous()?;
    let sizes = Sizes { input, hidden: kernel.hidden_size(), state: state_len, parameters: packed.elem_count() };
    let record = Arc::new(Record {
        kernel,
        extent: Extent { steps, batch },
        sizes,
        resets: resets.map(|resets| resets.flatten_all()?.to_vec1::<u8>()).transpose()?,
        tracked: packed.track_op() || x.track_op() || state.track_op(),
        kept: Mutex::default(),
    });
    let hidden = packed.apply_op3(&x, &state, SequenceOp(Arc::clone(&record)))?;
    let state = hidden.apply_op1(FinalStateOp(record))?;
    Ok(Sequence { hidden, state: State::unpacked(layout, &state)? })
}

/// What the two operators share.
struct Record<T: Real> {
    kernel: Arc<dyn SequenceKernel<T>>,
    extent: Extent,
    sizes: Sizes,
    resets: Option<Vec<u8>>,
    /// A gradient may be asked for.
    tracked: bool,
    kept: Mutex<Kept<T>>,
}

/// What one operator leaves for another.
struct Kept<T> {
    /// From forward to backward.
    tape: Option<(Arc<dyn Prepared<T>>, Arc<BatchTape>)>,
    /// From the first operator forward to the second.
    final_state: Option<Vec<T>>,
    /// From the second operator backward to the first.
    grad_state: Option<Vec<T>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { tape: None, final_state: None, grad_state: None }
    }
}

impl<T: Real> Record<T> {
    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operands<'a>(&'a self, x: &'a [T]) -> Operands<'a, T> {
        Operands { extent: self.extent, sizes: self.sizes, x, resets: self.resets.as_deref() }
    }
}

/// (parameters, x, initial state) to the activities `[T, B, H]`.
struct SequenceOp<T: Real>(Arc<Record<T>>);

impl<T: Real> CustomOp3 for SequenceOp<T> {
    fn name(&self) -> &'static str {
        "fused-sequence"
    }

    fn cpu_fwd(
        &self,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
        state: &CpuStorage,
        state_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let record = &self.0;
        let parameters = contiguous::<T>(parameters, parameters_layout)?;
        let (x, state) = (contiguous(x, x_layout)?, contiguous(state, state_layout)?);
        let prepared = record.kernel.prepare(parameters);
        let out = blocks::forward(prepared.as_ref(), record.operands(x), state, record.tracked);
        let mut kept = record.kept();
        kept.final_state = Some(out.state);
        kept.tape = out.tape.map(|tape| (prepared, Arc::new(tape)));
        let Extent { steps, batch } = record.extent;
        Ok((T::to_cpu_storage_owned(out.hidden), Shape::from((steps, batch, record.sizes.hidden))))
    }

    fn bwd(
        &self,
        parameters: &Tensor,
        x: &Tensor,
        state: &Tensor,
        hidden: &Tensor,
        grad_hidden: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let record = &self.0;
        let mut kept = record.kept();
        let grad_state = kept.grad_state.take();
        let Some((prepared, tape)) = kept.tape.clone() else {
            return Err(candle_core::Error::Msg("fused sequence: no tape was made, nothing was tracked".into()));
        };
        drop(kept);
        let out = with_values(x, |x_values| {
            with_values(hidden, |hidden| {
                with_values(grad_hidden, |grad_hidden| {
                    blocks::backward(
                        prepared.as_ref(),
                        record.operands(x_values),
                        hidden,
                        &tape,
                        grad_hidden,
                        grad_state.as_deref(),
                        x.track_op(),
                    )
                })
            })
        })???;
        let device = hidden.device();
        let grad_parameters = Tensor::from_vec(out.parameters, parameters.dims(), device)?;
        let grad_x = out.x.map(|grad| Tensor::from_vec(grad, x.dims(), device)).transpose()?;
        let grad_state = state.track_op().then(|| Tensor::from_vec(out.state, state.dims(), device)).transpose()?;
        Ok((Some(grad_parameters), grad_x, grad_state))
    }
}

/// The activities to the final state `[B, S]` that came with them.
struct FinalStateOp<T: Real>(Arc<Record<T>>);

impl<T: Real> CustomOp1 for FinalStateOp<T> {
    fn name(&self) -> &'static str {
        "fused-sequence-state"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let record = &self.0;
        let Some(state) = record.kept().final_state.take() else {
            return Err(candle_core::Error::Msg("fused sequence: the final state was taken before".into()));
        };
        Ok((T::to_cpu_storage_owned(state), Shape::from((record.extent.batch, record.sizes.state))))
    }

    fn bwd(&self, hidden: &Tensor, _: &Tensor, grad_state: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let grad_state = with_values(grad_state, <[T]>::to_vec)?;
        self.0.kept().grad_state = Some(grad_state);
        // A gradient, so that the first operator's turn comes even where the loss uses the state alone.
        Ok(Some(hidden.zeros_like()?))
    }
}

/// The values of a contiguous operand.
pub(super) fn contiguous<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        return Err(candle_core::Error::Msg("fused sequence: an operand is not contiguous".into()));
    };
    Ok(&T::cpu_storage_as_slice(storage)?[start..end])
}

/// Calls `read` with the values of a tensor, row-major, without a copy where they lie so.
pub(super) fn with_values<T: Real, R>(tensor: &Tensor, read: impl FnOnce(&[T]) -> R) -> candle_core::Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => Ok(read(contiguous(storage, layout)?)),
        _ => Err(candle_core::Error::Msg("fused sequence: a gradient is not on the CPU".into())),
    }
}
