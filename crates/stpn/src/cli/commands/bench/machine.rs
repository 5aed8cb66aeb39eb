//! What this machine can do at most, measured by small loops in the same run as everything else.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};
use serde::Serialize;

use crate::machine::Provenance;

/// Limits of all threads together.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    /// Where and from what.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Threads that ran at the same time.
    pub threads: usize,
    /// Multiply-adds of f32 per second, on registers.
    pub multiply_adds_per_second: f64,
    /// Bytes read and written per second where an array is updated in place that fits into no cache.
    pub memory_bytes_per_second: f64,
    /// The same for an array of half the second-level cache.
    pub l2_bytes_per_second: f64,
}

impl Limits {
    /// Shows them.
    pub fn print(&self) {
        println!("machine        {}; {} threads", self.provenance.line(), self.threads);
        println!("multiply-adds  {:.1} G/s", self.multiply_adds_per_second / 1e9);
        println!("memory         {:.1} GB/s", self.memory_bytes_per_second / 1e9);
        println!("L2             {:.1} GB/s", self.l2_bytes_per_second / 1e9);
    }
}

/// Rounds of each measurement, of which the best counts.
const ROUNDS: usize = 5;

/// Bytes of an array that fits into no cache, over all threads.
const LARGE: usize = 256 << 20;

/// Measures the limits of `threads` threads.
pub fn measure(threads: usize) -> Limits {
    let elements = (LARGE / threads / size_of::<f32>()).max(1);
    let cached = (l2_bytes() / 2 / size_of::<f32>()).max(1);
    let passes = 1 + (16 << 20) / cached;
    let updated = |elements: usize, passes: usize| {
        let bytes = (2 * elements * size_of::<f32>() * passes) as f64;
        best(
            threads,
            move || vec![1f32; elements],
            move |values| {
                (0..passes).for_each(|_| update(values));
                bytes
            },
        )
    };
    Limits {
        provenance: Provenance::here(),
        threads,
        multiply_adds_per_second: best(threads, || (), |()| Arch::new().dispatch(MultiplyAdds { rounds: 1 << 21 })),
        memory_bytes_per_second: updated(elements, 1),
        l2_bytes_per_second: updated(cached, passes),
    }
}

/// Sum over threads of what `work` returns, per second, in the best of some rounds. All threads start together.
fn best<S>(threads: usize, make: impl Fn() -> S + Sync, work: impl Fn(&mut S) -> f64 + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let per_thread: Vec<Vec<(f64, f64)>> = std::thread::scope(|scope| {
        let run = || {
            let mut state = make();
            (0..ROUNDS)
                .map(|_| {
                    barrier.wait();
                    let start = Instant::now();
                    let done = work(&mut state);
                    (done, start.elapsed().as_secs_f64())
                })
                .collect()
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        handles.into_iter().filter_map(|handle| handle.join().ok()).collect()
    });
    let round = |number: usize| {
        let done: f64 = per_thread.iter().map(|rounds| rounds[number].0).sum();
        let slowest = per_thread.iter().map(|rounds| rounds[number].1).fold(0.0, f64::max);
        done / slowest
    };
    (0..ROUNDS).map(round).fold(0.0, f64::max)
}

/// Every element read, changed and written.
fn update(values: &mut [f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || values.iter_mut().for_each(|value| *value = *value * 0.75 + 0.25),
    );
    black_box(values);
}

/// Chains of multiply-adds on registers.
struct MultiplyAdds {
    rounds: usize,
}

/// Chains that run side by side: enough to hide the latency, few enough for sixteen registers.
const CHAINS: usize = 12;

impl WithSimd for MultiplyAdds {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (factor, summand) = (simd.splat_f32s(black_box(0.75)), simd.splat_f32s(black_box(0.25)));
        let mut chains = [simd.splat_f32s(black_box(1.0)); CHAINS];
        for _ in 0..self.rounds {
            for chain in &mut chains {
                *chain = simd.mul_add_e_f32s(*chain, factor, summand);
            }
        }
        black_box(chains);
        (self.rounds * CHAINS * (size_of::<S::f32s>() / size_of::<f32>())) as f64
    }
}

/// Size of a core's second-level cache, as Linux gives it; a common one elsewhere.
fn l2_bytes() -> usize {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index2/size").unwrap_or_default();
    let kib: Option<usize> = text.trim().strip_suffix('K').and_then(|kib| kib.parse().ok());
    kib.unwrap_or(512) << 10
}
