//! Bytes as numbers on a device.

use super::device::{Buffer, CudaReal};
use super::general::General;
use crate::{Result, bytes};

impl<T: CudaReal> General<T> {
    /// Brings bytes to the device, and makes numbers of them: `byte * factor + summand`. Returns before the work is
    /// done.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn numbers_of_bytes(&self, bytes: &[u8], factor: f64, summand: f64) -> Result<Buffer<T>> {
        let (there, runner) = (self.device().upload(bytes)?, self.runner(None));
        bytes::numbers(&runner, (runner.address_of(&there), bytes.len()), factor, summand)
    }
}
