//! How sequences are divided into checkpoints and segments changes what is kept, and not a bit of the result.

use std::sync::Arc;

use stpn_random::{Purpose, Stream};

use super::backward::backward;
use super::forward::forward;
use super::plan::Plan;
use super::spec::PlasticSpec;
use super::weights::Weights;
use crate::kernels::Extent;
use crate::kernels::lanes::{Lanes, Portable};
use crate::kernels::layer::{Adjoint, Sequence};
use crate::layout::{LayerLayout, Layout};
use crate::options::{NormalizeState, StpnConfig};

type Portable32 = Portable<f32>;

/// A layer and the operands of its sequences.
struct Case {
    weights: Weights<Portable32>,
    extent: Extent,
    x: Vec<f32>,
    resets: Vec<u8>,
    state: Vec<f32>,
    grad_hidden: Vec<f32>,
}

impl Case {
    fn new(config: &StpnConfig, [steps, batch, input, hidden]: [usize; 4]) -> Self {
        let synapses = &[hidden, input + hidden][..];
        let parameters =
            Layout::new([("weight", synapses), ("bias", &[hidden]), ("lambda", synapses), ("gamma", synapses)]);
        let state = Layout::new([("h", &[hidden][..]), ("F", synapses)]);
        let layout = LayerLayout { input, hidden, parameters, state };
        let spec = PlasticSpec::stpn(config, &layout).expect("all is there").expect("served by this kernel");
        let mut stream = Stream::new(9, Purpose::Test, 0);
        let mut draw =
            |len: usize, scale: f64| -> Vec<f32> { (0..len).map(|_| (scale * stream.normal()) as f32).collect() };
        let parameters = draw(spec.places.len, 0.2);
        let elements = steps * batch;
        let (x, state) = (draw(elements * input, 1.0), draw(batch * spec.state.len, 0.1));
        let grad_hidden = draw(elements * hidden, 1.0);
        let resets = (0..elements).map(|_| u8::from(stream.chance(0.05))).collect();
        let weights = Weights::lay_out(Portable::new(), &spec, &parameters, &Arc::default());
        Self { weights, extent: Extent { steps, batch }, x, resets, state, grad_hidden }
    }

    /// Gradients of parameters, inputs and initial state, and the states that the tape and a way back keep of an element.
    fn run(&self, plan: &Plan) -> (Vec<f32>, usize) {
        let Self { weights, extent, x, resets, grad_hidden, .. } = self;
        let mut hidden = vec![0.0; grad_hidden.len()];
        let sequence =
            Sequence { extent: *extent, x, resets: Some(resets), start: &self.state, end: None, hidden: &mut hidden };
        let tape = forward(weights, plan, sequence, true).expect("a tape was asked for");
        let fast = weights.blocks * weights.width * Portable32::WIDTH;
        let kept = tape.cohorts.iter().zip(&plan.cohorts).map(|(tape, plan)| {
            let elements = plan.width * plan.span.groups;
            tape.checkpoints.len() / (fast * elements) + plan.every.div_ceil(plan.segment) - 1
                + plan.segment / plan.stride
        });
        let kept = kept.sum::<usize>() / tape.cohorts.len();
        let mut gradient = vec![0.0; weights.spec.places.len];
        let mut grad_x = vec![0.0; x.len()];
        let mut grad_state = self.state.clone();
        let adjoint = Adjoint {
            extent: *extent,
            x,
            resets: Some(resets),
            hidden: &hidden,
            grad_hidden,
            grad_state: Some(&mut grad_state),
            grad_x: Some(&mut grad_x),
        };
        backward(weights, plan, &tape, adjoint, &mut gradient);
        gradient.extend(grad_x.into_iter().chain(grad_state));
        (gradient, kept)
    }
}

/// All ways to normalise, clamped and not.
fn configs() -> Vec<StpnConfig> {
    let mut configs = Vec::new();
    for normalize_state in [NormalizeState::None, NormalizeState::Before, NormalizeState::After] {
        for clamp in [None, Some(0.5)] {
            // A state that nothing limits grows without bound.
            if clamp.is_some() || normalize_state != NormalizeState::None {
                configs.push(StpnConfig { normalize_state, clamp, ..StpnConfig::default() });
            }
        }
    }
    configs
}

#[test]
fn segments_do_not_change_the_gradient() {
    for config in configs() {
        for steps in [1, 5, 29, 48] {
            let case = Case::new(&config, [steps, 3, 3, 11]);
            let mut plan = Plan::new(&case.weights, case.extent);
            let mut gradient = |every: usize, segment: usize| {
                plan.cohorts.iter_mut().for_each(|cohort| (cohort.every, cohort.segment) = (every, segment));
                case.run(&plan).0.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let whole = gradient(steps, steps);
            for (every, segment) in [(1, 1), (4, 4), (12, 4), (9, 3), (15, 5), (60, 6), (6, 1), (48, 16)] {
                assert!(gradient(every, segment) == whole, "{steps} steps, {every} and {segment}: {config:?}");
            }
        }
    }
}

#[test]
fn kept_states_grow_like_the_root_of_the_steps() {
    for normalize_state in [NormalizeState::Before, NormalizeState::After] {
        let config = StpnConfig { normalize_state, ..StpnConfig::default() };
        let kept = [50, 200, 800, 3200].map(|steps| {
            let case = Case::new(&config, [steps, 4, 4, 17]);
            case.run(&Plan::new(&case.weights, case.extent)).1
        });
        for (fewer, more) in kept.iter().zip(&kept[1..]) {
            let growth = *more as f64 / *fewer as f64;
            assert!((1.6..2.4).contains(&growth), "four times the steps keep {growth} times the states: {kept:?}");
        }
        assert!(kept[3] < 4 * 57, "{kept:?} states where √3200 is 57");
    }
}
