//! Choices among observations enter one-hot: of n choices the one that was made is 1, the others are 0.

use candle_core::{DType, Device, Tensor};
use stpn_core::kernels::Real;
use stpn_envs::Space;

use crate::Result;

/// How many choices every element of an observation has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OneHot {
    counts: Vec<usize>,
}

impl OneHot {
    /// Of a space of choices; `None` where elements are numbers already, as those of boxes and switches are.
    pub fn of(space: &Space) -> Option<Self> {
        match space {
            Space::Discrete { n } => Some(Self { counts: vec![*n] }),
            Space::MultiDiscrete { counts } => Some(Self { counts: counts.clone() }),
            _ => None,
        }
    }

    fn width(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Choices `[N, k]` → `[N, width]`. What is no choice is nothing but zeros; vectors of environments refuse it before.
    pub fn spread<T: Real>(&self, choices: &[f32], out: &mut [T]) {
        out.fill(T::ZERO);
        for (choices, out) in choices.chunks_exact(self.counts.len()).zip(out.chunks_exact_mut(self.width())) {
            let mut start = 0;
            for (&choice, &count) in choices.iter().zip(&self.counts) {
                if let Some(one) = out[start..start + count].get_mut(choice as usize) {
                    *one = T::of(1.0);
                }
                start += count;
            }
        }
    }

    /// [`OneHot::spread`] into a vector.
    pub fn spread_all<T: Real>(&self, choices: &[f32]) -> Vec<T> {
        let mut out = vec![T::ZERO; choices.len() / self.counts.len() * self.width()];
        self.spread(choices, &mut out);
        out
    }

    /// [`OneHot::spread`] of a tensor, in that dtype.
    pub fn tensor(&self, choices: &Tensor, dtype: DType) -> Result<Tensor> {
        let values = choices.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let spread = self.spread_all::<f32>(&values);
        let shape = (spread.len() / self.width(), self.width());
        Ok(Tensor::from_vec(spread, shape, &Device::Cpu)?.to_device(choices.device())?.to_dtype(dtype)?)
    }
}
