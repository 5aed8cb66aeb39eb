//! Columns of arrays on a device.

use cudarc::driver::DeviceRepr;

use super::device::{Buffer, CudaReal};
use super::general::General;
use crate::gather::{Gather, Gathered};
use crate::{Error, Result};

/// Some of the columns of an array, by their numbers.
#[derive(Debug)]
pub struct Columns {
    numbers: Buffer<u32>,
    of: usize,
}

impl Columns {
    /// How many.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// True if there is none, which cannot be.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: CudaReal> General<T> {
    /// The columns of these numbers, of arrays that have `of` columns.
    ///
    /// # Errors
    /// [`Error::Loss`] for none, or for one beyond the last; [`Error::Device`].
    pub fn columns(&self, numbers: &[u32], of: usize) -> Result<Columns> {
        if numbers.is_empty() || numbers.iter().any(|&number| number as usize >= of) {
            return Err(Error::Loss { problem: format!("these are no columns of {of}: {numbers:?}") });
        }
        Ok(Columns { numbers: self.device().upload(numbers)?, of })
    }

    /// Those columns of the first `rows` rows of an array `[R, of, width]`, as `[rows, columns, width]`. Returns before
    /// the work is done.
    ///
    /// # Errors
    /// [`Error::Length`] for a shorter array, [`Error::Device`].
    pub fn gather<E: Gathered + DeviceRepr>(
        &self,
        from: &Buffer<E>,
        [rows, width]: [usize; 2],
        columns: &Columns,
    ) -> Result<Buffer<E>> {
        let gather = Gather { rows, of: columns.of, count: columns.len(), width };
        let expected = rows * columns.of * width;
        if from.len() < expected {
            return Err(Error::Length { what: "array of columns", expected, got: from.len() });
        }
        let (to, runner) = (self.device().reserve(gather.len())?, self.runner(None));
        let addresses = [runner.address_of(&columns.numbers), runner.address_of(from), runner.address_of(&to)];
        gather.launch::<E, T, _>(&runner, addresses)?;
        Ok(to)
    }
}
