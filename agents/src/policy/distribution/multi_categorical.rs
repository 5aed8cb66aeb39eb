//! Several discrete choices at once: independent softmaxes, one over the logits of each.

use std::ops::Range;

use stpn_core::kernels::Real;
use stpn_random::Stream;

use super::{ActionRef, Categorical, Terms};

/// Independent softmaxes. The logits are those of the first choice, then those of the second, and so on.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiCategorical {
    choices: Vec<Categorical>,
}

impl MultiCategorical {
    /// As many choices as there are `counts`, each among so many.
    pub fn new(counts: &[usize]) -> Self {
        Self { choices: counts.iter().map(|&n| Categorical { n }).collect() }
    }

    /// Choices A of one action.
    pub fn dims(&self) -> usize {
        self.choices.len()
    }

    /// How many there are to choose from, for each of them.
    pub fn counts(&self) -> Vec<usize> {
        self.choices.iter().map(|choice| choice.n).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.choices.iter().map(Categorical::len).sum()
    }

    /// Each choice with the range of its logits.
    fn parts(&self) -> impl Iterator<Item = (&Categorical, Range<usize>)> {
        self.choices.iter().scan(0, |start, choice| {
            let range = *start..*start + choice.n;
            *start = range.end;
            Some((choice, range))
        })
    }

    pub(super) fn act(
        &self,
        logits: &[f32],
        mut stream: Option<&mut Stream>,
        action: &mut [u32],
        scratch: &mut Vec<f64>,
    ) -> f64 {
        let mut sum = 0.0;
        for ((part, range), action) in self.parts().zip(action) {
            let (choice, log_prob) = part.act(&logits[range], stream.as_deref_mut(), scratch);
            *action = choice as u32;
            sum += log_prob;
        }
        sum
    }

    pub(super) fn act_uniformly(&self, stream: &mut Stream, action: &mut [u32]) {
        action.iter_mut().zip(&self.choices).for_each(|(action, part)| *action = stream.below(part.n) as u32);
    }

    /// The choices are independent, so that the probability of all is the product, and so is Σ_a π(a)².
    pub(super) fn terms<T: Real>(
        &self,
        logits: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        scratch: &mut Vec<f64>,
    ) -> Terms {
        scratch.clear();
        let mut all = Terms { concentration: 1.0, ..Terms::default() };
        for ((part, range), choice) in self.parts().zip(choices(action)) {
            let behaviour = behaviour.map(|behaviour| &behaviour[range.clone()]);
            let terms = part.append_terms(&logits[range], *choice as usize, behaviour, scratch);
            all.log_prob += terms.log_prob;
            all.entropy += terms.entropy;
            all.concentration *= terms.concentration;
            all.kl += terms.kl;
        }
        scratch.push(all.concentration);
        all
    }

    pub(super) fn gradient<T: Real>(
        &self,
        logits: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        derivatives: &Terms,
        scratch: &[f64],
        gradient: &mut [T],
    ) {
        let (&whole, mut scratch) = scratch.split_last().unwrap_or((&1.0, &[]));
        for ((part, range), choice) in self.parts().zip(choices(action)) {
            let (own, rest) = scratch.split_at(part.scratch_len(behaviour.is_some()));
            scratch = rest;
            // Never below 1/n, so that the others' product is a quotient.
            let others = whole / Categorical::concentration(own);
            let derivatives = Terms { concentration: derivatives.concentration * others, ..*derivatives };
            let logits = &logits[range.clone()];
            part.part_gradient(logits, *choice as usize, behaviour.is_some(), &derivatives, own, &mut gradient[range]);
        }
    }
}

fn choices(action: ActionRef<'_>) -> &[u32] {
    match action {
        ActionRef::Choices(choices) => choices,
        _ => unreachable!("this distribution has several choices at once"),
    }
}
