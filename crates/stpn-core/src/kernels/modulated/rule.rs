//! The change of one vector of fast weights, and its derivative.

use crate::kernels::Real;
use crate::kernels::lanes::Lanes;
use crate::options::{Bound, LIMIT, Modulation, RETROACTIVE_SOFT_LIMIT};

/// The bound and its limit.
#[derive(Clone, Copy, Debug)]
pub struct Rule<L: Lanes> {
    lanes: L,
    bound: Bound,
    limit: L::Vector,
}

impl<L: Lanes> Rule<L> {
    /// Of these options.
    #[inline(always)]
    pub fn new(lanes: L, bound: Bound, modulation: Modulation) -> Self {
        let limit = match (bound, modulation) {
            (Bound::SoftClamp, Modulation::Retroactive) => RETROACTIVE_SOFT_LIMIT,
            _ => LIMIT,
        };
        Self { lanes, bound, limit: lanes.splat(L::Real::of(limit)) }
    }

    /// F after the change c = mΔ at the rate m.
    #[inline(always)]
    pub fn apply(self, fast: L::Vector, change: L::Vector, rate: L::Vector) -> L::Vector {
        let lanes = self.lanes;
        match self.bound {
            Bound::HardClamp => lanes.clamp(lanes.add(fast, change), self.limit),
            Bound::SoftClamp => lanes.clamp(self.softened(fast, change), self.limit),
            Bound::Additive => lanes.add(fast, change),
            Bound::Decay => lanes.add(lanes.sub(fast, lanes.mul(fast, rate)), change),
        }
    }

    /// The gradients of F and c, from that of F after the change. `rate_grad` receives what m gets directly.
    #[inline(always)]
    pub fn back(
        self,
        fast: L::Vector,
        change: L::Vector,
        rate: L::Vector,
        grad: L::Vector,
        rate_grad: &mut L::Vector,
    ) -> [L::Vector; 2] {
        let lanes = self.lanes;
        match self.bound {
            Bound::HardClamp => [self.inside(lanes.add(fast, change), grad); 2],
            Bound::SoftClamp => {
                let grad = self.inside(self.softened(fast, change), grad);
                let along = lanes.mul(fast, grad);
                let negative = lanes.less(change, lanes.splat(L::Real::ZERO));
                let grad_change = lanes.select(negative, lanes.add(grad, along), lanes.sub(grad, along));
                [lanes.sub(grad, lanes.mul(lanes.abs(change), grad)), grad_change]
            }
            Bound::Additive => [grad; 2],
            Bound::Decay => {
                *rate_grad = lanes.sub(*rate_grad, lanes.mul(fast, grad));
                [lanes.sub(grad, lanes.mul(rate, grad)), grad]
            }
        }
    }

    /// The gradient where the value is within the limit, else 0.
    #[inline(always)]
    fn inside(self, value: L::Vector, grad: L::Vector) -> L::Vector {
        let lanes = self.lanes;
        lanes.select(lanes.less(self.limit, lanes.abs(value)), lanes.splat(L::Real::ZERO), grad)
    }

    /// F + c⁺(1−F) + c⁻(F+1) = F + c − |c|F
    #[inline(always)]
    fn softened(self, fast: L::Vector, change: L::Vector) -> L::Vector {
        let lanes = self.lanes;
        lanes.sub(lanes.add(fast, change), lanes.mul(lanes.abs(change), fast))
    }
}
