//! What a gated layer computes, and where its parameters lie in the packed slice.

use std::ops::Range;

use crate::Result;
use crate::layout::{LayerLayout, Matrix};
use crate::options::Activation;

/// The layers of this kernel. Their matrices are joined or split, and normalised or not, as they are declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatedKind {
    /// LSTM: one matrix and one bias, or two of each.
    Lstm,
    /// RNN: one matrix `[I+H, H]`, or two, `[H, I]` and `[H, H]`.
    Rnn,
    /// GRU: two matrices and two biases.
    Gru,
    /// A layer without memory.
    Mlp(Activation),
}

/// Where what is added to pre-activations comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Inputs.
    Input,
    /// Activities.
    Units,
}

/// A layer of this kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatedSpec {
    /// Which one.
    pub kind: GatedKind,
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// Where the parameters lie.
    pub places: Places,
    /// Where h, and the LSTM's c, lie in the packed state of one element.
    pub fields: Vec<Range<usize>>,
    /// Length S of that state.
    pub state_len: usize,
}

/// Where everything lies in the packed parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// A row for each gate of each unit.
    pub input: Matrix,
    pub recurrent: Option<Matrix>,
    /// The biases, and with whose product each is added.
    pub biases: Vec<(Source, Range<usize>)>,
    /// Gain and offset of the layer norm over all gates together.
    pub norm: Option<[Range<usize>; 2]>,
}

impl GatedSpec {
    /// The layer of that kind that has been declared so.
    ///
    /// # Errors
    /// [`crate::Error::Unknown`] for a parameter that it needs and has not got.
    pub fn new(kind: GatedKind, layout: &LayerLayout) -> Result<Self> {
        let LayerLayout { input, hidden, parameters, state } = layout;
        let (from_input, recurrent) = match (parameters.find("weight_ih"), kind) {
            (Some(_), _) => (parameters.matrix("weight_ih")?, Some(parameters.matrix("weight_hh")?)),
            (None, GatedKind::Mlp(_)) => (parameters.matrix("weight")?, None),
            (None, _) => {
                let joined = parameters.matrix("weight")?;
                // A unit of the RNN is a column of its matrix.
                let joined = if kind == GatedKind::Rnn { joined.transposed() } else { joined };
                (joined, Some(joined.from_column(*input)))
            }
        };
        let biases = [("bias", Source::Input), ("bias_ih", Source::Input), ("bias_hh", Source::Units)];
        let biases = biases.into_iter().filter_map(|(name, source)| Some((source, parameters.find(name)?))).collect();
        let norm = parameters.find("layer_norm.weight").zip(parameters.find("layer_norm.bias"));
        Ok(Self {
            kind,
            input: *input,
            hidden: *hidden,
            places: Places { input: from_input, recurrent, biases, norm: norm.map(Into::into) },
            fields: ["h", "c"].into_iter().filter_map(|name| state.find(name)).collect(),
            state_len: state.len(),
        })
    }

    /// Rows of the packed matrices that a unit has.
    pub fn gates(&self) -> usize {
        match self.kind {
            GatedKind::Lstm => 4,
            GatedKind::Gru => 3,
            GatedKind::Rnn | GatedKind::Mlp(_) => 1,
        }
    }

    /// Pre-activations of a unit: of the GRU n has two, for its recurrent part is gated before it is added.
    pub fn slots(&self) -> usize {
        if self.kind == GatedKind::Gru { 4 } else { self.gates() }
    }

    /// The slot of a unit's gate, as far as it comes from that source. The GRU's are n from inputs, r, z, n from
    /// activities: those of one source are next to one another.
    pub fn slot(&self, source: Source, gate: usize) -> usize {
        match (self.kind, source, gate) {
            (GatedKind::Gru, Source::Input, 2) => 0,
            (GatedKind::Gru, _, _) => gate + 1,
            _ => gate,
        }
    }

    /// The slots that a source adds to.
    pub fn slots_of(&self, source: Source) -> Range<usize> {
        match (self.kind, source) {
            (GatedKind::Gru, Source::Input) => 0..3,
            (GatedKind::Gru, Source::Units) => 1..4,
            _ => 0..self.slots(),
        }
    }

    /// True if a unit has gates.
    pub fn is_gated(&self) -> bool {
        self.gates() > 1
    }

    /// True if the activity feeds back.
    pub fn recurrent(&self) -> bool {
        !matches!(self.kind, GatedKind::Mlp(_))
    }
}
