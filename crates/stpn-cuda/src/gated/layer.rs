//! An LSTM, GRU or RNN, and where its parameters and state lie in the packed arrays. The order of both is that of the
//! cells of `stpn-core`.

use crate::product::Place;
use crate::{Error, Result};

/// Which cell it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatedKind {
    /// LSTM: gates in the order i, f, g, o.
    Lstm,
    /// GRU: gates in the order r, z, n. Its matrices are always split.
    Gru,
    /// RNN.
    Rnn,
}

/// A layer of LSTM, GRU or RNN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gated {
    /// Which cell it is.
    pub kind: GatedKind,
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// Two matrices (and the LSTM's two biases), in place of one for inputs and activities together.
    pub split: bool,
    /// LSTM: layer-normalise all 4H pre-activations together.
    pub layer_norm: bool,
}

impl Gated {
    /// A layer with the cell's usual options.
    pub fn new(kind: GatedKind, input: usize, hidden: usize) -> Self {
        Self { kind, input, hidden, split: kind == GatedKind::Gru, layer_norm: false }
    }

    /// Refuses sizes and options that contradict one another.
    ///
    /// # Errors
    /// [`Error::Layer`] that names the option.
    pub fn check(&self) -> Result<()> {
        let refuse = |problem: &str| Err(Error::Layer { problem: problem.to_string() });
        if self.input == 0 || self.hidden == 0 {
            return refuse("input and hidden must be at least 1");
        }
        if self.kind == GatedKind::Gru && !self.split {
            return refuse("split = false: the GRU has two matrices");
        }
        if self.kind != GatedKind::Lstm && self.layer_norm {
            return refuse("layer_norm: only the LSTM has it");
        }
        Ok(())
    }

    /// Rows of the matrices: one for each gate of each unit.
    pub(crate) fn rows(&self) -> usize {
        let gates = match self.kind {
            GatedKind::Lstm => 4,
            GatedKind::Gru => 3,
            GatedKind::Rnn => 1,
        };
        gates * self.hidden
    }

    /// Where the weights of inputs lie, `[rows, I]`.
    pub(crate) fn input_place(&self) -> Place {
        match (self.split, self.kind) {
            (true, _) => Place { first: 0, by_row: self.input, by_column: 1 },
            // A unit of the RNN is a column of its matrix.
            (false, GatedKind::Rnn) => Place { first: 0, by_row: 1, by_column: self.hidden },
            (false, _) => Place { first: 0, by_row: self.input + self.hidden, by_column: 1 },
        }
    }

    /// Where the weights of activities lie, `[rows, H]`.
    pub(crate) fn recurrent_place(&self) -> Place {
        if self.split {
            return Place { first: self.rows() * self.input, by_row: self.hidden, by_column: 1 };
        }
        let joined = self.input_place();
        Place { first: self.input * joined.by_column, ..joined }
    }

    /// Where the bias lies that is added to what comes from the inputs.
    pub(crate) fn bias(&self) -> usize {
        self.rows() * (self.input + self.hidden)
    }

    /// Where that lies which is added to what comes from the activities, if there is one.
    pub(crate) fn second_bias(&self) -> Option<usize> {
        (self.split && self.kind != GatedKind::Rnn).then(|| self.bias() + self.rows())
    }

    /// Weights and biases together; what the layer norm has lies after them.
    pub(crate) fn weights_len(&self) -> usize {
        self.second_bias().unwrap_or(self.bias()) + self.rows()
    }

    /// Number of packed parameters.
    pub fn parameters(&self) -> usize {
        self.weights_len() + 2 * self.rows() * usize::from(self.layer_norm)
    }

    /// Length S of the packed state of one environment.
    pub fn state_len(&self) -> usize {
        if self.kind == GatedKind::Lstm { 2 * self.hidden } else { self.hidden }
    }
}
