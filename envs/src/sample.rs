//! Random actions.

use stpn_random::Stream;

use crate::{Action, Space};

/// An action of its own, drawn from a space.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// Of a [`Space::Discrete`].
    Discrete(usize),
    /// Of a [`Space::MultiDiscrete`] or a [`Space::MultiBinary`].
    Choices(Vec<u32>),
    /// Of a [`Space::Box`].
    Continuous(Vec<f32>),
}

impl Sample {
    /// The action, to be taken.
    pub fn get(&self) -> Action<'_> {
        match self {
            Self::Discrete(choice) => Action::Discrete(*choice),
            Self::Choices(choices) => Action::Choices(choices),
            Self::Continuous(values) => Action::Continuous(values),
        }
    }
}

impl Space {
    /// A random element: choices uniform, numbers uniform between finite bounds, elsewhere standard normal.
    pub fn sample(&self, stream: &mut Stream) -> Sample {
        match self {
            Self::Discrete { n } => Sample::Discrete(stream.below(*n)),
            Self::MultiDiscrete { counts } => {
                Sample::Choices(counts.iter().map(|&count| stream.below(count) as u32).collect())
            }
            Self::MultiBinary { n } => Sample::Choices((0..*n).map(|_| stream.below(2) as u32).collect()),
            Self::Box { low, high, .. } => Sample::Continuous(
                low.iter()
                    .zip(high)
                    .map(|(&low, &high)| {
                        let bounded = low.is_finite() && high.is_finite();
                        let value = if bounded {
                            stream.uniform(low.into(), high.into())
                        } else {
                            stream.normal().clamp(low.into(), high.into())
                        };
                        value as f32
                    })
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_lie_in_their_space_and_reach_all_of_it() {
        let mut stream = Stream::from_seed(1);
        let mut seen = [[false; 3]; 2];
        for _ in 0..100 {
            let space = Space::MultiDiscrete { counts: vec![3, 2] };
            let Sample::Choices(choices) = space.sample(&mut stream) else { panic!("choices") };
            seen[0][choices[0] as usize] = true;
            seen[1][choices[1] as usize] = true;
            assert!(Action::Choices(&choices).choices(&[3, 2]).is_ok());
            assert!(Space::MultiBinary { n: 4 }.sample(&mut stream).get().switches(4).is_ok());
            assert!(Space::discrete(5).sample(&mut stream).get().discrete(5).is_ok());
            let Sample::Continuous(values) = Space::boxed(-2.0, f32::INFINITY, [50]).sample(&mut stream) else {
                panic!("numbers")
            };
            assert!(values.iter().all(|value| (-2.0..9.0).contains(value)), "{values:?}");
        }
        assert_eq!(seen, [[true, true, true], [true, true, false]]);
    }
}
