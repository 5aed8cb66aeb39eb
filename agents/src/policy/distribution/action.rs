//! Actions as the policy drew them, and what a loss needs to know of one.

/// Actions of N environment-steps, as the policy drew them.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionBuffer {
    /// `[N]` choices.
    Discrete(Vec<u32>),
    /// `[N, A]` choices or switches.
    Choices(Vec<u32>),
    /// `[N, A]` draws of the Gaussian, before they are clipped or squashed into the space.
    Continuous(Vec<f32>),
}

impl ActionBuffer {
    /// The action at `index`; `width` is A.
    pub fn get(&self, index: usize, width: usize) -> ActionRef<'_> {
        match self {
            Self::Discrete(choices) => ActionRef::Discrete(choices[index] as usize),
            Self::Choices(choices) => ActionRef::Choices(&choices[index * width..(index + 1) * width]),
            Self::Continuous(values) => ActionRef::Continuous(&values[index * width..(index + 1) * width]),
        }
    }

    /// An empty buffer of the same kind with room for `count` actions of A = `width` numbers.
    pub fn empty_like(&self, count: usize, width: usize) -> Self {
        match self {
            Self::Discrete(_) => Self::Discrete(Vec::with_capacity(count)),
            Self::Choices(_) => Self::Choices(Vec::with_capacity(count * width)),
            Self::Continuous(_) => Self::Continuous(Vec::with_capacity(count * width)),
        }
    }

    /// Appends the action at `index` of `other`, which is of the same kind.
    pub fn push(&mut self, other: &Self, index: usize, width: usize) {
        match (self, other) {
            (Self::Discrete(to), Self::Discrete(from)) => to.push(from[index]),
            (Self::Choices(to), Self::Choices(from)) => {
                to.extend_from_slice(&from[index * width..(index + 1) * width]);
            }
            (Self::Continuous(to), Self::Continuous(from)) => {
                to.extend_from_slice(&from[index * width..(index + 1) * width]);
            }
            _ => unreachable!("action buffers of one policy are of one kind"),
        }
    }

    /// Appends an action that stands for none, where a sequence is padded.
    pub fn push_padding(&mut self, width: usize) {
        match self {
            Self::Discrete(choices) => choices.push(0),
            Self::Choices(choices) => choices.extend(std::iter::repeat_n(0, width)),
            Self::Continuous(values) => values.extend(std::iter::repeat_n(0.0, width)),
        }
    }
}

/// One action, as the policy drew it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActionRef<'a> {
    /// A choice.
    Discrete(usize),
    /// `[A]` choices or switches.
    Choices(&'a [u32]),
    /// `[A]`
    Continuous(&'a [f32]),
}

/// What a loss needs to know of one action.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// Log-probability (density) of the action.
    pub log_prob: f64,
    /// Entropy of the distribution in nats.
    pub entropy: f64,
    /// Σ_a π(a)² of discrete actions, the maze's penalty in place of an entropy bonus; 0 for continuous ones.
    pub concentration: f64,
    /// KL divergence from the distribution that acted to this one; 0 if that was not given.
    pub kl: f64,
}
