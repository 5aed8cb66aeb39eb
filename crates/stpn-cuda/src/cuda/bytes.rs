//! Bytes as numbers on a device.

use super::device::{Buffer, CudaReal};
use super::general::General;
use crate::{Result, bytes};

impl<T: CudaReal> General<T> {
    /// Numbers of bytes: `byte * factor + summand`. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn numbers_of_bytes(&self, bytes: &Buffer<u8>, factor: f64, summand: f64) -> Result<Buffer<T>> {
        let runner = self.runner(None);
        bytes::numbers(&runner, (runner.address_of(bytes), bytes.len()), factor, summand)
    }
}
