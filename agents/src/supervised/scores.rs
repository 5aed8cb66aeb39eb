//! What was answered, counted.

use std::iter::Sum;

/// What was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Answers given.
    pub answers: u64,
    /// Right ones.
    pub right: u64,
    /// Sum of their losses.
    pub loss: f64,
    /// Answers whose target is not 0.
    pub positives: u64,
    /// Right ones among them.
    pub true_positives: u64,
    /// Sum over sampled steps of the energy, summed over units.
    pub energy: f64,
    /// Steps at which it was measured.
    pub energy_samples: u64,
}

impl Scores {
    /// Counts one answer.
    pub fn count(&mut self, target: u8, loss: f64, right: bool) {
        self.answers += 1;
        self.right += u64::from(right);
        self.loss += loss;
        self.positives += u64::from(target > 0);
        self.true_positives += u64::from(target > 0 && right);
    }

    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.answers as f64
    }

    /// Mean loss of an answer, in nats.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.answers as f64
    }

    /// Of a binary task: share of the targets 1 that were answered with 1. NaN without any.
    pub fn true_positive_rate(&self) -> f64 {
        self.true_positives as f64 / self.positives as f64
    }

    /// Of a binary task: share of the targets 0 that were answered with 1. NaN without any.
    pub fn false_positive_rate(&self) -> f64 {
        let negatives = self.answers - self.positives;
        (negatives - (self.right - self.true_positives)) as f64 / negatives as f64
    }

    /// Mean energy of a step, summed over units; none if it was not measured.
    pub fn energy_per_step(&self) -> Option<f64> {
        (self.energy_samples > 0).then(|| self.energy / self.energy_samples as f64)
    }
}

impl Sum for Scores {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |total, part| Self {
            answers: total.answers + part.answers,
            right: total.right + part.right,
            loss: total.loss + part.loss,
            positives: total.positives + part.positives,
            true_positives: total.true_positives + part.true_positives,
            energy: total.energy + part.energy,
            energy_samples: total.energy_samples + part.energy_samples,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_as_defined() {
        let mut scores = Scores::default();
        // Two repeats, one recognised; three new vectors, two of them recognised as new.
        for (target, right) in [(1, true), (1, false), (0, true), (0, true), (0, false)] {
            scores.count(target, 0.5, right);
        }
        assert_eq!((scores.accuracy(), scores.mean_loss()), (0.6, 0.5));
        assert_eq!((scores.true_positive_rate(), scores.false_positive_rate()), (0.5, 1.0 / 3.0));
    }
}
