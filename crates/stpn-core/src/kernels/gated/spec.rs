//! What a gated layer computes, and where its parameters lie in the packed slice.

use std::ops::Range;

use crate::options::Activation;

/// The layers of this kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatedKind {
    /// LSTM: one matrix and one bias, or (`split`) two of each.
    Lstm {
        /// Two matrices and two biases.
        split: bool,
        /// All gate pre-activations normalised together.
        layer_norm: bool,
    },
    /// RNN: one matrix `[I+H, H]`, or (`split`) two, `[H, I]` and `[H, H]`.
    Rnn {
        /// Two matrices.
        split: bool,
    },
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
}

/// A matrix inside the packed parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    start: usize,
    row: usize,
    column: usize,
}

impl Place {
    /// Where the element of that row (a gate's unit) and column (an input or a unit) lies.
    #[inline(always)]
    pub fn at(self, row: usize, column: usize) -> usize {
        self.start + row * self.row + column * self.column
    }
}

/// Where everything lies in the packed parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub input: Place,
    pub recurrent: Option<Place>,
    /// The biases, and with whose product each is added.
    pub biases: Vec<(Source, Range<usize>)>,
    pub gain: Option<Range<usize>>,
    pub offset: Option<Range<usize>>,
}

impl GatedSpec {
    /// Rows of the packed matrices that a unit has.
    pub fn gates(&self) -> usize {
        match self.kind {
            GatedKind::Lstm { .. } => 4,
            GatedKind::Gru => 3,
            GatedKind::Rnn { .. } | GatedKind::Mlp(_) => 1,
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

    /// Length S of the packed state of one element.
    pub fn state_len(&self) -> usize {
        match self.kind {
            GatedKind::Lstm { .. } => 2 * self.hidden,
            GatedKind::Rnn { .. } | GatedKind::Gru => self.hidden,
            GatedKind::Mlp(_) => 0,
        }
    }

    /// Where the parameters lie, in the cells' order.
    pub fn places(&self) -> Places {
        let (input, hidden, rows) = (self.input, self.hidden, self.gates() * self.hidden);
        let place = |start, row, column| Place { start, row, column };
        let (input_place, recurrent, mut len, biases) = match self.kind {
            GatedKind::Lstm { split: false, .. } => {
                let width = input + hidden;
                (place(0, width, 1), Some(place(input, width, 1)), rows * width, 1)
            }
            GatedKind::Rnn { split: false } => {
                (place(0, 1, hidden), Some(place(input * hidden, 1, hidden)), (input + hidden) * hidden, 1)
            }
            GatedKind::Lstm { split: true, .. } | GatedKind::Rnn { split: true } | GatedKind::Gru => {
                let biases = if self.is_gated() { 2 } else { 1 };
                (place(0, input, 1), Some(place(rows * input, hidden, 1)), rows * (input + hidden), biases)
            }
            GatedKind::Mlp(_) => (place(0, input, 1), None, rows * input, 1),
        };
        let mut next = || {
            len += rows;
            len - rows..len
        };
        let biases = [Source::Input, Source::Units].into_iter().take(biases).map(|source| (source, next())).collect();
        let normed = matches!(self.kind, GatedKind::Lstm { layer_norm: true, .. });
        Places { input: input_place, recurrent, biases, gain: normed.then(&mut next), offset: normed.then(&mut next) }
    }
}
