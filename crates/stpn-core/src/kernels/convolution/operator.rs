//! A stack of convolutions as a differentiable candle operator.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Shape, Tensor};

use super::{Pixels, Prepared, Stack, Tape};
use crate::kernels::Real;
use crate::kernels::operator::{contiguous, with_values};
use crate::{Parameters, Result};

/// Images `[N, C·H·W]` (numbers of the parameters' dtype, on the CPU) to the stack's output `[N, E]`, channels
/// outermost: differentiable in the parameters and in x.
///
/// # Errors
/// Fails on shapes and dtypes that do not fit.
pub fn features(stack: &Arc<Stack>, parameters: &Parameters, x: &Tensor) -> Result<Tensor> {
    let (packed, x) = (parameters.packed()?, x.contiguous()?);
    Ok(match x.dtype() {
        DType::F64 => packed.apply_op2(&x, StackOp::<f64>::new(stack, packed.track_op() || x.track_op()))?,
        _ => packed.apply_op2(&x, StackOp::<f32>::new(stack, packed.track_op() || x.track_op()))?,
    })
}

/// (parameters, x) to features.
struct StackOp<T: Real> {
    stack: Arc<Stack>,
    tracked: bool,
    /// From forward to backward.
    kept: Mutex<Option<Arc<Kept<T>>>>,
}

struct Kept<T: Real> {
    prepared: Prepared<T>,
    tape: Tape<T>,
}

impl<T: Real> StackOp<T> {
    fn new(stack: &Arc<Stack>, tracked: bool) -> Self {
        Self { stack: Arc::clone(stack), tracked, kept: Mutex::new(None) }
    }
}

impl<T: Real> CustomOp2 for StackOp<T> {
    fn name(&self) -> &'static str {
        "convolutions"
    }

    fn cpu_fwd(
        &self,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (parameters, values) = (contiguous::<T>(parameters, parameters_layout)?, contiguous::<T>(x, x_layout)?);
        let (images, pixels) = x_layout.shape().dims2()?;
        if pixels != self.stack.input().len() || parameters.len() != self.stack.parameters() {
            let problem = format!("convolutions: {pixels} pixels, {} parameters", parameters.len());
            return Err(candle_core::Error::Msg(problem));
        }
        let prepared = Prepared::new(&self.stack, parameters);
        let width = self.stack.output().len();
        let mut out = vec![T::ZERO; images * width];
        if let Some(tape) = prepared.forward(Pixels::Values(values), &mut out, self.tracked) {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Kept { prepared, tape }));
        }
        Ok((T::to_cpu_storage_owned(out), Shape::from((images, width))))
    }

    fn bwd(
        &self,
        parameters: &Tensor,
        x: &Tensor,
        out: &Tensor,
        grad_out: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(kept) = kept else {
            return Err(candle_core::Error::Msg("convolutions: no tape was made, nothing was tracked".into()));
        };
        let Kept { prepared, tape } = &*kept;
        let mut grad_parameters = vec![T::ZERO; self.stack.parameters()];
        let mut grad_x = x.track_op().then(|| vec![T::ZERO; x.elem_count()]);
        with_values(x, |x| {
            with_values(out, |out| {
                with_values(grad_out, |grad_out| {
                    let (x, grad_x) = (Pixels::Values(x), grad_x.as_deref_mut());
                    prepared.backward(x, out, tape, grad_out, &mut grad_parameters, grad_x);
                })
            })
        })???;
        let grad_x = grad_x.map(|grad| Tensor::from_vec(grad, x.dims(), x.device())).transpose()?;
        Ok((Some(Tensor::from_vec(grad_parameters, parameters.dims(), parameters.device())?), grad_x))
    }
}
