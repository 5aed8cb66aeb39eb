//! What the present policy makes of a fragment that an earlier one lived.

use super::{Worker, peek};
use crate::Result;
use crate::actor::Subject;
use crate::rollout::Estimates;

/// What is computed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recompute {
    /// The states at the starts of the fragment's training sequences.
    pub states: bool,
    /// The estimates of its values.
    pub values: bool,
}

impl Worker {
    /// Goes through the last fragment again, from the state before it. Replaces the states at the starts of training
    /// sequences, and gives the estimates of values, as far as they are asked for. The fragment keeps its own estimates.
    ///
    /// # Errors
    /// Fails if a step of the network does, and with [`crate::Error::Stopped`] if the update is to be given up.
    pub fn recompute(&mut self, subject: Subject<'_>, what: Recompute) -> Result<Option<Estimates>> {
        let shape = self.fragment.shape;
        let (batch, row, state_row) = (shape.batch, shape.batch * shape.observation, self.state.len());
        let fragment = &mut self.fragment;
        let mut session = subject.policy.session(batch)?;
        session.load(&fragment.sequence_states[..state_row])?;
        let mut estimates = what.values.then(|| Estimates::zeros(shape.steps, batch));
        let steps = match what.values {
            true => shape.steps,
            // No sequence starts later.
            false => (shape.segments() - 1) * shape.sequence_length,
        };
        let mut finals = self.finals.iter().copied().enumerate().peekable();
        let mut state = vec![0.0; state_row];
        for t in 0..steps {
            self.stop.go_on()?;
            let now = t * batch..(t + 1) * batch;
            let starts = &fragment.episode_starts[now.clone()];
            session.step(fragment.observations.range(t * row..(t + 1) * row), starts)?;
            if what.states && (t + 1) % shape.sequence_length == 0 && t + 1 < shape.steps {
                let start = (t + 1) / shape.sequence_length * state_row;
                session.store(&mut fragment.sequence_states[start..start + state_row])?;
            }
            let Some(estimates) = &mut estimates else { continue };
            estimates.values[now.clone()].copy_from_slice(session.values());
            while let Some((place, n)) = finals.next_if(|(_, n)| now.contains(n)) {
                session.store(&mut state)?;
                let (width, own) = (shape.observation, (n - now.start) * shape.state);
                let last = self.final_rows.range(place * width..(place + 1) * width);
                estimates.final_values[n] = peek(subject, &state[own..own + shape.state], last, &[0])?[0];
            }
        }
        if let Some(estimates) = &mut estimates {
            session.store(&mut state)?;
            let next = fragment.observations.range(shape.steps * row..(shape.steps + 1) * row);
            estimates.last_values = peek(subject, &state, next, &self.episode_starts)?;
        }
        Ok(estimates)
    }
}
