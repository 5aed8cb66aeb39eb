//! What a backward pass needs of the forward pass of its layer.

use crate::gated::passes::GatedTape;
use crate::plastic::PlasticTape;

/// What a backward pass needs of the forward pass of its layer.
#[derive(Debug)]
pub(crate) enum Tape<A> {
    Plastic(PlasticTape<A>),
    Gated(GatedTape<A>),
}
