//! The trait every cell implements, and the composed sequence path they share.

use std::fmt::Debug;
use std::sync::Arc;

use candle_core::{DType, Tensor};

use crate::kernels::{self, FusedKernel, Kernel};
use crate::{CellParts, Error, Parameters, Result, Sequence, State, StateField, Step};

/// A (usually recurrent) layer with trainable parameters and a state per batch element.
///
/// Parameters and state have one dtype, f32 or f64, chosen when the cell is built. All methods are differentiable
/// in the input, the parameters and the incoming state.
pub trait Cell: Debug + Send + Sync {
    /// Sizes, parameters and state layout.
    fn parts(&self) -> &CellParts;

    /// One step from x `[B, I]`, in candle operations: the reference for every faster path.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    fn step(&self, x: &Tensor, state: &State) -> Result<Step>;

    /// Energy `Σ_j |G_ij|·z_j²` of each neuron at a step from x `[B, I]` and the state before it (paper §5,
    /// "Energy efficiency"): `[B, H]`. A neuron with gates is one unit with all of them: their sums are added up.
    ///
    /// `input_mask` `[I]`, where given, multiplies the input in this sum alone: 0 leaves an input out.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    fn energy_per_unit(&self, x: &Tensor, state: &State, input_mask: Option<&Tensor>) -> Result<Tensor>;

    /// Size I of the input vector.
    fn input_size(&self) -> usize {
        self.parts().input
    }

    /// Number H of units, the size of the activity.
    fn hidden_size(&self) -> usize {
        self.parts().hidden
    }

    /// Trainable parameters by name, in a fixed order.
    fn parameters(&self) -> &Parameters {
        &self.parts().parameters
    }

    /// The state's fields in a fixed order; empty for a memoryless cell.
    fn state_layout(&self) -> &[StateField] {
        &self.parts().state_layout
    }

    /// Multiply-adds of one step of one batch element, by which layers of different kinds are compared: every weight once,
    /// and for fast weights what reads and changes them. Biases and nonlinearities are left out. By default, the elements
    /// of all trained matrices.
    fn multiply_adds(&self) -> usize {
        let matrices = self.parameters().iter().filter(|(_, var)| var.rank() == 2);
        matrices.map(|(_, var)| var.elem_count()).sum()
    }

    /// Which path [`Cell::sequence`] takes.
    fn kernel(&self) -> Kernel {
        self.parts().kernel
    }

    /// The fused CPU path, where this cell has one.
    fn fused(&self) -> Option<Arc<dyn FusedKernel>> {
        self.parts().fused.clone()
    }

    /// The dtype of parameters and state.
    fn dtype(&self) -> DType {
        self.parameters().iter().next().map_or(DType::F32, |(_, var)| var.dtype())
    }

    /// State of `batch` elements at the start of an episode: zeros.
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    fn zero_state(&self, batch: usize) -> Result<State> {
        let device = self.parameters().iter().next().map_or(candle_core::Device::Cpu, |(_, var)| var.device().clone());
        State::zeros(self.state_layout(), batch, self.dtype(), &device)
    }

    /// A whole sequence from x `[T, B, I]`.
    ///
    /// `resets` (u8 `[T, B]`) is 1 if an element's episode starts: its state is zeroed before that step.
    /// Takes the fused path where the cell has one, the tensors are on the CPU and [`Cell::kernel`] allows it.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    fn sequence(&self, x: &Tensor, resets: Option<&Tensor>, state: &State) -> Result<Sequence> {
        check_sequence(self.input_size(), x, resets, state)?;
        match self.fused() {
            Some(kernel) if self.kernel() == Kernel::Auto && x.device().is_cpu() => {
                kernels::operator::sequence(kernel, self.parameters(), self.state_layout(), x, resets, state)
            }
            _ => self.sequence_composed(x, resets, state),
        }
    }

    /// [`Cell::sequence`] in candle operations, step by step, whatever [`Cell::kernel`] says.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    fn sequence_composed(&self, x: &Tensor, resets: Option<&Tensor>, state: &State) -> Result<Sequence> {
        check_sequence(self.input_size(), x, resets, state)?;
        let any_reset: Vec<bool> = match resets {
            None => vec![false; x.dim(0)?],
            Some(mask) => mask.to_vec2::<u8>()?.iter().map(|row| row.contains(&1)).collect(),
        };
        let mut state = state.clone();
        let mut hidden = Vec::with_capacity(any_reset.len());
        for (t, any_reset) in any_reset.into_iter().enumerate() {
            if let (true, Some(mask)) = (any_reset, resets) {
                state = state.reset(&mask.get(t)?)?;
            }
            let step = self.step(&x.get(t)?, &state)?;
            hidden.push(step.hidden);
            state = step.state;
        }
        Ok(Sequence { hidden: Tensor::stack(&hidden, 0)?, state })
    }
}

/// Refuses sequences whose shapes do not fit one another.
fn check_sequence(input: usize, x: &Tensor, resets: Option<&Tensor>, state: &State) -> Result<()> {
    let refuse = |what: &str, expected: String, got: &[usize]| {
        Err(Error::Shape { what: what.to_string(), expected, got: got.to_vec() })
    };
    let &[steps, batch, width] = x.dims() else { return refuse("x", format!("[T, B, {input}]"), x.dims()) };
    if width != input || steps == 0 {
        return refuse("x", format!("[T ≥ 1, B, {input}]"), x.dims());
    }
    if state.batch() != batch {
        return refuse("state", format!("{batch} batch elements"), &[state.batch()]);
    }
    match resets {
        Some(mask) if mask.dims() != [steps, batch] => refuse("resets", format!("[{steps}, {batch}]"), mask.dims()),
        _ => Ok(()),
    }
}
