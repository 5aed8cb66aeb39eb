//! Rollouts under any layer, whatever the environments are: what the network does in them.

use stpn_cuda::rollout::{EnergyOf, Environments, Played, Rollout};
use stpn_cuda::shim::{self, Inputs, Machine, Order, RolloutBackward};
use stpn_cuda::{
    AnyLayer, Dense, Extent, Gated, GatedKind, Granularity, Layer, Modulated, Modulation, Nonlinearity, NormalizeState,
    Plastic, Rule, Synapses,
};

use super::energy::measured;
use super::{Numbers, SHARED, distance, gated_plan, gated_there_and_back, plan, there_and_back};

/// What a rollout reads, whatever the environments are.
pub struct Given<T> {
    pub extent: Extent,
    pub uniform: Vec<f64>,
    pub parameters: Vec<T>,
    pub heads: Vec<T>,
    pub x: Vec<T>,
    pub starts: Vec<u8>,
    pub state: Vec<T>,
    pub mask: Vec<T>,
}

impl Given<f64> {
    /// With that many actions, observations to act on first, and one input whose energy does not count.
    pub fn new(
        numbers: &mut Numbers,
        (layer, extent, choices): (&AnyLayer, Extent, usize),
        x: impl FnOnce(&mut Numbers) -> Vec<f64>,
        skipped: usize,
    ) -> Self {
        let Extent { steps, batch } = extent;
        Self {
            extent,
            uniform: numbers.vec(steps * batch, 0.5).iter().map(|value| value + 0.5).collect(),
            parameters: numbers.vec(layer.parameters(), 0.7),
            heads: numbers.vec((choices + 1) * (layer.hidden() + 1), 1.5),
            x: x(numbers),
            // One environment in the middle of an episode, the others at the start of one.
            starts: (0..batch).map(|env| u8::from(env != 1)).collect(),
            state: numbers.vec(batch * layer.state_len(), 0.4),
            mask: (0..layer.input()).map(|input| f64::from(u8::from(input != skipped))).collect(),
        }
    }

    /// The same in single precision.
    pub fn single(self) -> Given<f32> {
        let Self { extent, uniform, parameters, heads, x, starts, state, mask } = self;
        let [parameters, heads, x, state, mask] = [parameters, heads, x, state, mask].map(single);
        Given { extent, uniform, parameters, heads, x, starts, state, mask }
    }
}

/// Numbers in single precision.
pub fn single(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|value| value as f32).collect()
}

impl<T> Given<T> {
    pub fn rollout<'a>(&'a self, environments: Environments<'a, T>) -> Rollout<'a, T> {
        Rollout {
            extent: self.extent,
            environments,
            uniform: &self.uniform,
            parameters: &self.parameters,
            heads: &self.heads,
            encoder: &[],
            x: &self.x,
            starts: &self.starts,
            state: &self.state,
            watched: true,
            energy: Some(EnergyOf { first: 1, every: 4, batch: 2, mask: Some(&self.mask) }),
        }
    }
}

/// Layers of all cells with that many inputs; one of 64 units has its fast weights in shared memory.
pub fn layers(input: usize) -> Vec<AnyLayer> {
    let maze = Plastic::maze(input, 6);
    let stpn = Plastic::stpn(input, 5);
    let plastic = [
        maze.clone(),
        stpn.clone(),
        Plastic { recurrent: false, normalize_state: NormalizeState::None, ..stpn.clone() },
        Plastic::hebbff(input, 7),
        Plastic { layer_norm: true, plastic_bias: true, synapses: Synapses::Input, ..stpn.clone() },
        Plastic { granularity: Granularity::Presynaptic, synapses: Synapses::Recurrent, ..stpn },
        Plastic { hidden: 64, ..maze },
    ];
    let modulated = |modulation, rule| Layer::Modulated(Modulated { input, hidden: 6, modulation, rule });
    let modulated = [
        modulated(Modulation::Constant, Rule::Decay),
        modulated(Modulation::Network, Rule::SoftClamp),
        modulated(Modulation::Retroactive, Rule::HardClamp),
    ];
    let lstm = Gated::new(GatedKind::Lstm, input, 6);
    let gated = [
        lstm.clone(),
        Gated { split: true, layer_norm: true, ..lstm },
        Gated::new(GatedKind::Gru, input, 7),
        Gated::new(GatedKind::Rnn, input, 6),
        Gated { split: true, ..Gated::new(GatedKind::Rnn, input, 6) },
    ];
    let plastic = plastic.map(Layer::Plastic).into_iter().chain(modulated).map(AnyLayer::from);
    plastic.chain(gated.map(AnyLayer::from)).collect()
}

/// Plays; panics if the machine finds anything wrong. What goes back is there without an encoder.
pub fn played(
    layer: &AnyLayer,
    machine: Machine,
    rollout: &Rollout<'_, f64>,
) -> (Played<f64>, Option<RolloutBackward<f64>>) {
    let (played, back, problems) = shim::rollout(layer, SHARED, machine, rollout);
    assert_eq!(problems.count, 0, "{layer:?}: {}", problems.first);
    (played, back)
}

/// Activities, final state, and the gradient of the parameters from gradients that are all ones.
fn apart(layer: &AnyLayer, inputs: Inputs<'_, f64>) -> [Vec<f64>; 3] {
    let Extent { steps, batch } = inputs.extent;
    let (grad_hidden, grad_end) = (vec![1.0; steps * batch * layer.hidden()], vec![1.0; inputs.start.len()]);
    match layer {
        AnyLayer::Plastic(layer) => {
            let plan = plan::<f64>(layer, inputs.extent);
            let (there, back) = there_and_back(layer, &plan, Machine::default(), inputs, &grad_hidden, &grad_end);
            [there.hidden, there.end, back.parameters]
        }
        AnyLayer::Gated(layer) => {
            let plan = gated_plan::<f64>(layer, inputs.extent);
            let (there, back) = gated_there_and_back(layer, &plan, Machine::default(), inputs, &grad_hidden, &grad_end);
            [there.hidden, there.end, back.parameters]
        }
    }
}

/// What the encoder of a rollout makes of `x` `[N, O]`.
fn encoded(rollout: &Rollout<'_, f64>, x: &[f64]) -> Vec<f64> {
    rollout.encoder.iter().fold(x.to_vec(), |x, layer| {
        let Dense { input, output, nonlinearity, scale } = layer.dense;
        let (weights, biases) = layer.parameters.split_at(input * output);
        let activity = |x: &[f64], row: &[f64], bias: f64| {
            let sum = bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
            scale * if nonlinearity == Nonlinearity::Tanh { sum.tanh() } else { sum.max(0.0) }
        };
        let rows = || weights.chunks_exact(input).zip(biases);
        x.chunks_exact(input).flat_map(|x| rows().map(move |(row, bias)| activity(x, row, *bias))).collect()
    })
}

/// Holds what a rollout gave against the layer's own forward pass over what must have been seen, `[T, B, O]`, with the
/// starts of episodes `[T, B]`; its energy, and the gradient of its parameters, too.
pub fn compare(
    layer: &AnyLayer,
    rollout: &Rollout<'_, f64>,
    (got, back): (&Played<f64>, Option<&RolloutBackward<f64>>),
    (seen, resets): (&Vec<f64>, &Vec<u8>),
) {
    let (size, Extent { steps, batch }) = (layer.hidden(), rollout.extent);
    let x = &encoded(rollout, seen);
    let inputs = Inputs {
        extent: rollout.extent,
        parameters: rollout.parameters,
        x,
        resets: Some(resets),
        start: rollout.state,
    };
    let [activities, last, gradient] = apart(layer, inputs);
    assert!(distance(&got.state, &last) < 1e-12, "{layer:?}");

    // What is kept for a backward pass.
    assert_eq!(&got.observed, seen);
    assert_eq!(back.is_some(), rollout.encoder.is_empty());
    if let Some(back) = back {
        assert_eq!((&back.x, &back.starts), (x, resets));
        assert!(distance(&back.hidden, &activities) < 1e-12);
        assert!(distance(&back.parameters, &gradient) < 1e-12);
    }

    let (choices, lists) = (rollout.environments.choices(), rollout.environments.lists());
    let len = choices + 1;
    let (weights, biases) = rollout.heads.split_at(len * size);
    for (env, t) in (0..batch).flat_map(|env| (0..steps).map(move |t| (env, t))) {
        let hidden = &activities[(t * batch + env) * size..][..size];
        let rows = weights.chunks(size).zip(biases);
        let outputs: Vec<f64> =
            rows.map(|(row, bias)| bias + row.iter().zip(hidden).map(|(w, h)| w * h).sum::<f64>()).collect();
        let at = env * steps + t;
        assert!(distance(&got.outputs[at * len..(at + 1) * len], &outputs) < 1e-12);
        let (mut logits, mut log_prob) = (&outputs[..choices], 0.0);
        for (list, among) in lists.iter().enumerate() {
            let (own, rest) = logits.split_at(*among);
            let (total, drawn) = (own.iter().map(|logit| logit.exp()).sum::<f64>(), at * lists.len() + list);
            let choice = got.actions[drawn] as usize;
            let below = |choices: usize| own[..choices].iter().map(|logit| logit.exp()).sum::<f64>() / total;
            let bounds = below(choice)..=below(choice + 1);
            assert!(bounds.contains(&rollout.uniform[drawn]), "the choice of environment {env}");
            log_prob += (own[choice].exp() / total).ln();
            logits = rest;
        }
        assert!((got.log_probs[at] - log_prob).abs() < 1e-12);
    }
    let wanted = measured(layer, inputs, &rollout.energy.unwrap());
    assert!(distance(&got.energy, &wanted) < 1e-12, "energy");
}

/// Plays in other orders of threads and blocks, which change no bit, and without each barrier, which is a race.
pub fn check_orders(layer: &AnyLayer, rollout: &Rollout<'_, f64>) {
    let in_order = played(layer, Machine::default(), rollout);
    for order in [Order::Reversed, Order::Shuffled] {
        assert_eq!(played(layer, Machine { order, ..Machine::default() }, rollout), in_order, "{order:?}");
    }
    let of_encoder: &[i32] = if rollout.encoder.is_empty() { &[] } else { &[73, 74] };
    for &site in [70, 71, 72].iter().chain(of_encoder) {
        let machine = Machine { without_barrier: Some(site), ..Machine::default() };
        let (.., problems) = shim::rollout(layer, SHARED, machine, rollout);
        assert!(problems.count > 0, "without barrier {site} there is a race: {layer:?}");
    }
}
