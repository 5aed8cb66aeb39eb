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
}

impl<T> Aligned<T> {
    /// Elements it could hold.
    fn capacity(&self) -> usize {
        self.memory.len() - self.start
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

/// Buffers not in use: fresh memory costs a page fault every 4 KiB, which is as long as the kernel's work on it.
#[derive(Debug, Default)]
pub struct Pool<T> {
    /// Those that a thread gave back, in the order of their capacity. Threads seldom wait for one another here.
    free: [Mutex<Vec<Aligned<T>>>; SHARDS],
}

/// Lists of free buffers.
const SHARDS: usize = 16;

impl<T: Real> Pool<T> {
    /// A buffer of `len` elements of any value: the smallest free one of this thread that is large enough, else one of
    /// another thread's, else a new one.
    pub fn lease(self: &Arc<Self>, len: usize) -> Lease<T> {
        let own = own_shard();
        let take = |free: &mut Vec<Aligned<T>>| {
            let best = free.partition_point(|buffer| buffer.capacity() < len);
            let fits = free.get(best).is_some_and(|buffer| buffer.capacity() <= 2 * len + LINE);
            fits.then(|| free.remove(best))
        };
        let mut buffer = take(&mut self.free[own].lock().unwrap_or_else(PoisonError::into_inner));
        if buffer.is_none() {
            // What one thread leases and another gives back must come round again.
            let others = (1..SHARDS).map(|step| &self.free[(own + step) % SHARDS]);
            buffer = others.filter_map(|shard| shard.try_lock().ok()).find_map(|mut free| take(&mut free));
        }
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

/// The list of the calling thread.
fn own_shard() -> usize {
    rayon::current_thread_index().unwrap_or(0) % SHARDS
}

/// A buffer that goes back to its pool when dropped.
#[derive(Debug)]
pub struct Lease<T: Real> {
    pool: Arc<Pool<T>>,
    buffer: Aligned<T>,
}

impl<T: Real> Deref for Lease<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.buffer
    }
}

impl<T: Real> DerefMut for Lease<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer
    }
}

impl<T: Real> Drop for Lease<T> {
    fn drop(&mut self) {
        let buffer = mem::replace(&mut self.buffer, Aligned { memory: Vec::new(), start: 0, len: 0 });
        let mut free = self.pool.free[own_shard()].lock().unwrap_or_else(PoisonError::into_inner);
        let place = free.partition_point(|known| known.capacity() < buffer.capacity());
        free.insert(place, buffer);
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

    #[test]
    fn buffers_given_back_by_another_thread_do_not_pile_up() {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads");
        let pool = Arc::new(Pool::<f32>::default());
        for _ in 0..20 {
            let lease = Mutex::new(Some(pool.lease(100)));
            threads.broadcast(|context| {
                if context.index() == 1 {
                    drop(lease.lock().expect("sound").take());
                }
            });
        }
        let free: usize = pool.free.iter().map(|shard| shard.lock().expect("sound").len()).sum();
        assert_eq!(free, 1);
    }
}
