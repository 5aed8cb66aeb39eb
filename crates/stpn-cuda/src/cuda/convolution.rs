//! Convolutions on a device.

use super::dense::DenseGradients;
use super::device::{Buffer, CudaReal};
use super::general::General;
use crate::convolution::{self, Convolution, WINDOWS_LEN};
use crate::dense::DenseBackward;
use crate::lengths::expect;
use crate::product::SIDE as TILE;
use crate::{Error, Result};

/// A convolution on a device.
#[derive(Clone, Debug)]
pub struct ConvolutionLayer<T> {
    general: General<T>,
    layer: Convolution,
}

impl<T: CudaReal> ConvolutionLayer<T> {
    /// That layer.
    ///
    /// # Errors
    /// [`Error::Layer`] if it has no output, or for a scale that is not finite and above 0.
    pub fn new(general: &General<T>, layer: Convolution) -> Result<Self> {
        layer.check()?;
        Ok(Self { general: general.clone(), layer })
    }

    /// The layer.
    pub fn layer(&self) -> &Convolution {
        &self.layer
    }

    fn check(&self, images: usize, parameters: &Buffer<T>, x: &Buffer<T>) -> Result<()> {
        if images == 0 {
            return Err(Error::Layer { problem: "a convolution needs at least one image".to_string() });
        }
        // The kernel counts pixels of all images in 32 bits, up to the end of the last tile. No device has memory for more.
        if i32::try_from(images * self.layer.pixels() + TILE).is_err() {
            return Err(Error::NoMemory { what: "a convolution of so many images" });
        }
        expect("parameters", parameters.len(), self.layer.parameters())?;
        expect("x", x.len(), images * self.layer.input())
    }

    /// x `[N, C, H, W]` to y `[N, F, H', W']`. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::NoMemory`] also for too many images, [`Error::Device`].
    pub fn forward(&self, images: usize, parameters: &Buffer<T>, x: &Buffer<T>) -> Result<Buffer<T>> {
        self.check(images, parameters, x)?;
        convolution::forward(&self.general.runner(None), &self.layer, images, parameters, x)
    }

    /// From the gradient of y, with the x and y of [`ConvolutionLayer::forward`], to that of the parameters, and of x if
    /// `to_inputs`. Returns before the work is done.
    ///
    /// # Errors
    /// As [`ConvolutionLayer::forward`].
    pub fn backward(
        &self,
        images: usize,
        [parameters, x, y, grad_y]: [&Buffer<T>; 4],
        to_inputs: bool,
    ) -> Result<DenseGradients<T>> {
        self.check(images, parameters, x)?;
        expect("y", y.len(), images * self.layer.output())?;
        expect("grad_y", grad_y.len(), images * self.layer.output())?;
        let (runner, arrays) = (self.general.runner(None), [parameters, x, y, grad_y]);
        let DenseBackward { parameters, x } =
            convolution::backward(&runner, &self.layer, images, arrays, to_inputs, WINDOWS_LEN)?;
        Ok(DenseGradients { parameters, x })
    }
}
