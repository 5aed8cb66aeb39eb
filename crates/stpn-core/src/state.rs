//! A cell's state between steps, as a value.

use candle_core::{D, DType, Device, Tensor};

use crate::{Error, Result};

/// Name and shape (of one batch element) of one part of a cell's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateField {
    /// `h`, `c`, `F`, `bias_F` or `trace`.
    pub name: &'static str,
    /// Shape without the batch dimension, e.g. `[H, D]` for the fast weights.
    pub shape: Vec<usize>,
}

impl StateField {
    /// A field `name` of the given shape per batch element.
    pub fn new(name: &'static str, shape: impl Into<Vec<usize>>) -> Self {
        Self { name, shape: shape.into() }
    }

    /// Scalars of this field in one batch element.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True if the field holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The state of a batch: one tensor `[B, …]` per [`StateField`], in the cell's order.
///
/// A value: stepping a cell makes a new state and leaves the old one as it was. A memoryless cell's has no field.
#[derive(Clone, Debug)]
pub struct State {
    batch: usize,
    fields: Vec<(&'static str, Tensor)>,
}

impl State {
    /// A state of given parts.
    pub fn new(batch: usize, fields: Vec<(&'static str, Tensor)>) -> Self {
        Self { batch, fields }
    }

    /// All zeros.
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn zeros(layout: &[StateField], batch: usize, dtype: DType, device: &Device) -> Result<Self> {
        let zeros = |field: &StateField| {
            let shape: Vec<usize> = std::iter::once(batch).chain(field.shape.iter().copied()).collect();
            Ok((field.name, Tensor::zeros(shape, dtype, device)?))
        };
        Ok(Self { batch, fields: layout.iter().map(zeros).collect::<Result<_>>()? })
    }

    /// Number of batch elements.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The fields with their names, in the cell's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Tensor)> {
        self.fields.iter().map(|(name, tensor)| (*name, tensor))
    }

    /// The field of that name.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the names there are.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, tensor)| tensor).ok_or_else(|| Error::Unknown {
            kind: "state field",
            name: name.to_string(),
            known: self.fields.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
        })
    }

    /// This state with every field of the batch elements marked in `reset` (u8 `[B]`, 1 = reset) zeroed.
    ///
    /// A selection, not a product: a NaN in a finished episode does not leak into the next one.
    ///
    /// # Errors
    /// Fails if the mask has not one element per batch element.
    pub fn reset(&self, reset: &Tensor) -> Result<Self> {
        let zero = |(name, tensor): &(&'static str, Tensor)| {
            let mut mask = reset.clone();
            while mask.rank() < tensor.rank() {
                mask = mask.unsqueeze(D::Minus1)?;
            }
            Ok((*name, mask.broadcast_as(tensor.shape())?.where_cond(&tensor.zeros_like()?, tensor)?))
        };
        Ok(Self { batch: self.batch, fields: self.fields.iter().map(zero).collect::<Result<_>>()? })
    }

    /// The same values cut from the graph: no gradient flows through.
    pub fn detach(&self) -> Self {
        Self { batch: self.batch, fields: self.fields.iter().map(|(name, tensor)| (*name, tensor.detach())).collect() }
    }

    /// One tensor `[B, S]`: every field flattened per batch element and concatenated in the cell's order.
    ///
    /// # Errors
    /// Fails if the state has no field.
    pub fn packed(&self) -> Result<Tensor> {
        let flat = self
            .fields
            .iter()
            .map(|(_, tensor)| tensor.reshape((self.batch, ())))
            .collect::<candle_core::Result<Vec<_>>>()?;
        Ok(Tensor::cat(&flat, 1)?)
    }

    /// The inverse of [`State::packed`].
    ///
    /// # Errors
    /// [`Error::Shape`] if `packed` is not `[B, S]` for that layout.
    pub fn unpacked(layout: &[StateField], packed: &Tensor) -> Result<Self> {
        let width: usize = layout.iter().map(StateField::len).sum();
        let &[batch, got] = packed.dims() else {
            return Err(Error::Shape {
                what: "packed state".into(),
                expected: format!("[B, {width}]"),
                got: packed.dims().to_vec(),
            });
        };
        if got != width {
            return Err(Error::Shape {
                what: "packed state".into(),
                expected: format!("[B, {width}]"),
                got: vec![batch, got],
            });
        }
        let mut fields = Vec::with_capacity(layout.len());
        let mut start = 0;
        for field in layout {
            let shape: Vec<usize> = std::iter::once(batch).chain(field.shape.iter().copied()).collect();
            fields.push((field.name, packed.narrow(1, start, field.len())?.reshape(shape)?));
            start += field.len();
        }
        Ok(Self { batch, fields })
    }
}
