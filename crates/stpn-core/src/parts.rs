//! What every cell is made of: sizes, parameters, state layout, and the checks that go with them.

use std::sync::Arc;

use candle_core::Tensor;

use crate::kernels::FusedKernel;
use crate::layout::{LayerLayout, Layout};
use crate::{Error, Kernel, Parameters, Result, State, StateField};

/// The parts all cells share; [`crate::Cell::parts`] gives access to them.
#[derive(Clone, Debug)]
pub struct CellParts {
    /// Size I of the input vector.
    pub input: usize,
    /// Number H of units.
    pub hidden: usize,
    /// Which path a sequence takes.
    pub kernel: Kernel,
    /// Trainable parameters in a fixed order.
    pub parameters: Parameters,
    /// Fields of the state in a fixed order.
    pub state_layout: Vec<StateField>,
    /// The fused CPU path, if this cell has one.
    pub fused: Option<Arc<dyn FusedKernel>>,
}

impl CellParts {
    /// Parts without parameters or state yet.
    ///
    /// # Errors
    /// [`Error::Config`] if a size is zero.
    pub fn new(input: usize, hidden: usize, kernel: Kernel) -> Result<Self> {
        for (key, size) in [("input", input), ("hidden", hidden)] {
            if size == 0 {
                return Err(Error::Config { key, problem: "is 0; at least 1 is needed".into() });
            }
        }
        Ok(Self { input, hidden, kernel, parameters: Parameters::default(), state_layout: Vec::new(), fused: None })
    }

    /// Appends a field to the state.
    pub fn add_state(&mut self, name: &'static str, shape: impl Into<Vec<usize>>) {
        self.state_layout.push(StateField::new(name, shape));
    }

    /// Where the parameters and fields added so far lie when packed.
    pub fn layout(&self) -> LayerLayout {
        let fields = self.state_layout.iter().map(|field| (field.name, &field.shape[..]));
        LayerLayout {
            input: self.input,
            hidden: self.hidden,
            parameters: self.parameters.layout(),
            state: Layout::new(fields),
        }
    }

    /// Refuses an x that is not `[B, I]` or a state that is not this cell's for B elements.
    ///
    /// Without it a state of one element would be broadcast silently.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Unknown`] if the state lacks a field.
    pub fn check_step(&self, x: &Tensor, state: &State) -> Result<()> {
        let batch = match *x.dims() {
            [batch, width] if width == self.input => batch,
            _ => {
                let expected = format!("[B, {}]", self.input);
                return Err(Error::Shape { what: "x".into(), expected, got: x.dims().to_vec() });
            }
        };
        for field in &self.state_layout {
            let got = state.get(field.name)?.dims();
            if got.first() != Some(&batch) || got[1..] != field.shape {
                let expected = format!("[{batch}, {:?}]", field.shape);
                return Err(Error::Shape { what: format!("state.{}", field.name), expected, got: got.to_vec() });
            }
        }
        Ok(())
    }
}

/// Squares of the presynaptic vector for the energy: of x, multiplied by `input_mask` where given, and of h:
/// `[B, I]` or `[B, I+H]`.
///
/// # Errors
/// [`Error::Candle`] on shapes that do not fit.
pub fn energy_inputs(x: &Tensor, hidden: Option<&Tensor>, input_mask: Option<&Tensor>) -> Result<Tensor> {
    let x = match input_mask {
        Some(mask) => x.broadcast_mul(mask)?,
        None => x.clone(),
    };
    let z = match hidden {
        Some(hidden) => Tensor::cat(&[&x, hidden], 1)?,
        None => x,
    };
    Ok(z.sqr()?)
}
