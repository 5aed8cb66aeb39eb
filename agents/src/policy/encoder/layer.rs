//! The layers of an encoder, as a device builds them.

use stpn_core::cells::Activation;
use stpn_core::kernels::convolution::{Filters, Image};

/// A layer of an encoder.
#[derive(Clone, Copy, Debug)]
pub enum EncoderLayer {
    /// Inputs and outputs, and what follows.
    Dense([usize; 2], Activation),
    /// Filters over images, and ReLU.
    Convolution(Image, Filters),
}
