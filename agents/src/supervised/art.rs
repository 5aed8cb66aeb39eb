//! Associative retrieval (Ba et al. 2016): recall which digit was shown with a letter.
//!
//! A sequence is three (letter, digit) pairs, `?`, `?`, and one of the letters; the answer is its digit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data::{Sequences, Split};
use crate::Result;
use crate::limits::{at_least_one, check_sizes};

/// Symbols: 26 letters, 10 digits, `?`.
pub const SYMBOLS: usize = LETTERS + DIGITS + 1;
/// Symbols of a sequence.
pub const STEPS: usize = 2 * PAIRS + 3;

const LETTERS: usize = 26;
const DIGITS: usize = 10;
const PAIRS: usize = 3;
const QUESTION: u8 = (LETTERS + DIGITS) as u8;

/// Settings of the task; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ArtConfig {
    /// Training sequences, which an epoch goes through once in a new order.
    pub training_sequences: usize,
    /// Validation sequences, measured after every epoch.
    pub validation_sequences: usize,
    /// Test sequences, measured at the end with the parameters that were best in validation.
    pub test_sequences: usize,
    /// Sequences of an optimiser step. A last, smaller batch of an epoch is dropped.
    pub batch_size: usize,
    /// Epochs without a better validation accuracy after which training stops; not set = never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
}

impl Default for ArtConfig {
    fn default() -> Self {
        Self {
            training_sequences: 100_000,
            validation_sequences: 10_000,
            test_sequences: 20_000,
            batch_size: 128,
            patience: None,
        }
    }
}

impl ArtConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        at_least_one(&[
            ("task.validation_sequences", self.validation_sequences as u64),
            ("task.test_sequences", self.test_sequences as u64),
            ("task.batch_size", self.batch_size as u64),
        ])?;
        check_sizes(&[
            ("task.training_sequences", self.training_sequences),
            ("task.validation_sequences", self.validation_sequences),
            ("task.test_sequences", self.test_sequences),
        ])?;
        if self.training_sequences < self.batch_size {
            let problem = format!("must be at least task.batch_size, {}", self.batch_size);
            return Err(crate::Error::config("task.training_sequences", problem));
        }
        Ok(())
    }

    /// The sequences of a split.
    pub fn sequences(&self, seed: u64, split: Split) -> ArtSequences {
        let count = match split {
            Split::Training => self.training_sequences,
            Split::Validation => self.validation_sequences,
            Split::Test => self.test_sequences,
        };
        ArtSequences::new(seed, split, count)
    }
}

/// Sequences of associative retrieval.
#[derive(Clone, Debug, PartialEq)]
pub struct ArtSequences {
    /// `[N]` sequences of symbols: letters from 0, digits from 26, `?` = 36.
    pub symbols: Vec<[u8; STEPS]>,
    /// `[N]` the symbols that answer.
    pub targets: Vec<u8>,
}

impl ArtSequences {
    /// `count` sequences: letters without replacement, digits with.
    pub fn new(seed: u64, split: Split, count: usize) -> Self {
        let mut stream = split.stream(seed, 0);
        let (mut symbols, mut targets) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for _ in 0..count {
            let mut sequence = [QUESTION; STEPS];
            for pair in 0..PAIRS {
                // Each draw is among the letters left; a rank moves up past every smaller letter drawn before.
                let mut letter = stream.below(LETTERS - pair) as u8;
                let mut drawn: Vec<u8> = (0..pair).map(|earlier| sequence[2 * earlier]).collect();
                drawn.sort_unstable();
                for earlier in drawn {
                    letter += u8::from(letter >= earlier);
                }
                sequence[2 * pair] = letter;
                sequence[2 * pair + 1] = (LETTERS + stream.below(DIGITS)) as u8;
            }
            let asked = stream.below(PAIRS);
            sequence[STEPS - 1] = sequence[2 * asked];
            targets.push(sequence[2 * asked + 1]);
            symbols.push(sequence);
        }
        Self { symbols, targets }
    }
}

impl Sequences for ArtSequences {
    fn len(&self) -> usize {
        self.symbols.len()
    }

    fn steps(&self) -> usize {
        STEPS
    }

    fn input(&self) -> usize {
        SYMBOLS
    }

    fn write(&self, indices: &[u32], x: &mut [f32], targets: &mut [u8]) {
        let batch = indices.len();
        x.fill(0.0);
        for (b, &index) in indices.iter().enumerate() {
            for (t, &symbol) in self.symbols[index as usize].iter().enumerate() {
                x[(t * batch + b) * SYMBOLS + usize::from(symbol)] = 1.0;
            }
            targets[b] = self.targets[index as usize];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_as_defined() {
        let data = ArtSequences::new(1, Split::Training, 20_000);
        let (mut letters, mut digits, mut asked) = ([0usize; LETTERS], [0usize; DIGITS], [0usize; PAIRS]);
        let mut repeated_digits = 0;
        for (sequence, &target) in data.symbols.iter().zip(&data.targets) {
            let keys = [sequence[0], sequence[2], sequence[4]];
            let values = [sequence[1], sequence[3], sequence[5]];
            assert!(keys.iter().all(|&key| usize::from(key) < LETTERS), "{sequence:?}");
            assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2], "{sequence:?}");
            assert!(values.iter().all(|v| (LETTERS..LETTERS + DIGITS).contains(&usize::from(*v))), "{sequence:?}");
            assert_eq!(sequence[6..8], [QUESTION; 2]);
            let place = keys.iter().position(|&key| key == sequence[8]).expect("a letter of this sequence is asked");
            assert_eq!(target, values[place]);
            asked[place] += 1;
            keys.iter().for_each(|&key| letters[usize::from(key)] += 1);
            values.iter().for_each(|&value| digits[usize::from(value) - LETTERS] += 1);
            repeated_digits += usize::from(values[0] == values[1]);
        }
        let uniform = |counts: &[usize]| {
            let expected = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
            counts.iter().all(|&count| (count as f64 - expected).abs() < 5.0 * expected.sqrt())
        };
        assert!(uniform(&letters) && uniform(&digits) && uniform(&asked), "{letters:?} {digits:?} {asked:?}");
        assert!((repeated_digits as f64 / 20_000.0 - 0.1).abs() < 0.01, "digits are drawn with replacement");
    }

    #[test]
    fn data_follow_from_seed_and_split_alone() {
        let data = |seed, split| ArtSequences::new(seed, split, 100);
        assert_eq!(data(1, Split::Training), data(1, Split::Training));
        assert_ne!(data(1, Split::Training), data(2, Split::Training));
        assert_ne!(data(1, Split::Training).symbols, data(1, Split::Validation).symbols);
        assert_ne!(data(1, Split::Test).symbols, data(1, Split::Validation).symbols);
    }

    #[test]
    fn inputs_are_one_hot() {
        let data = ArtSequences::new(3, Split::Test, 10);
        let (mut x, mut targets) = (vec![7.0; STEPS * 2 * SYMBOLS], vec![0; 2]);
        data.write(&[4, 9], &mut x, &mut targets);
        assert_eq!(targets, [data.targets[4], data.targets[9]]);
        for (n, step) in x.chunks(SYMBOLS).enumerate() {
            let symbol = usize::from(data.symbols[[4, 9][n % 2]][n / 2]);
            assert!(step.iter().enumerate().all(|(i, &v)| v == f32::from(u8::from(i == symbol))), "{n}");
        }
    }
}
