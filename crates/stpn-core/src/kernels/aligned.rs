//! Buffers that start on a cache line, and a pool that keeps them for the next call.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use super::Real;

/// Bytes in a cache line and in the widest vector.
const LINE: usize = 64;

/// Elements of type T from the start of a cache line on.
#[derive(Debug)]
pub struct Aligned<T> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Real> Aligned<T> {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let memory = vec![T::ZERO; len + LINE / size_of::<T>()];
        let start = memory.as_ptr().align_offset(LINE);
        Self { memory, start, len }
    }

    /// Elements it could hold.
    fn capacity(&self) -> usize {
        self.memory.len() - self.start
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

/// Buffers not in use: fresh memory costs a page fault every 4 KiB, which is as long as the kernel's work on it.
#[derive(Debug, Default)]
pub struct Pool<T> {
    free: Mutex<Vec<Aligned<T>>>,
}

impl<T: Real> Pool<T> {
    /// A buffer of `len` elements of any value: the smallest free one that is large enough, else a new one.
    pub fn lease(self: &Arc<Self>, len: usize) -> Lease<T> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |buffer: &Aligned<T>| (len..=2 * len + LINE).contains(&buffer.capacity());
        let best = (0..free.len()).filter(|i| fits(&free[*i])).min_by_key(|i| free[*i].capacity());
        let mut buffer = best.map(|index| free.swap_remove(index));
        drop(free);
        if let Some(buffer) = &mut buffer {
            buffer.len = len;
        }
        Lease { pool: Arc::clone(self), buffer: buffer.unwrap_or_else(|| Aligned::zeros(len)) }
    }

    /// A buffer of `len` zeros.
    pub fn zeros(self: &Arc<Self>, len: usize) -> Lease<T> {
        let mut buffer = self.lease(len);
        buffer.fill(T::ZERO);
        buffer
    }
}

/// A buffer that goes back to its pool when dropped.
#[derive(Debug)]
pub struct Lease<T: Real> {
    pool: Arc<Pool<T>>,
    buffer: Aligned<T>,
}

impl<T: Real> Deref for Lease<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer
    }
}

impl<T: Real> DerefMut for Lease<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer
    }
}

impl<T: Real> Drop for Lease<T> {
    fn drop(&mut self) {
        let buffer = mem::replace(&mut self.buffer, Aligned { memory: Vec::new(), start: 0, len: 0 });
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_on_a_line_and_come_back() {
        let pool = Arc::new(Pool::<f32>::default());
        for len in [0, 1, 16, 1000] {
            let mut buffer = pool.lease(len);
            assert_eq!((buffer.len(), buffer.as_ptr() as usize % LINE), (len, 0));
            buffer.fill(7.0);
            let address = buffer.as_ptr();
            drop(buffer);
            let again = pool.lease(len);
            assert_eq!((again.len(), again.as_ptr()), (len, address));
        }
    }
}
