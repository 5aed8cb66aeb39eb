//! Two halves of a vector that take turns: while one is simulated, the next actions of the other are inferred.

use super::{Actions, Transition, VectorEnv};
use crate::{Error, Result};

impl VectorEnv {
    /// The vector in two halves of as many groups each, the second with one more where their number is odd.
    /// Environments keep their indices and seeds, so that halves step through the same episodes as the whole does.
    ///
    /// Stepped in turns, neither the simulator nor the network waits for the other:
    ///
    /// ```
    /// # use stpn_envs::{EnvConfig, ObservationMut, Transition, VectorEnv, vector::Actions};
    /// # const COUNT: usize = 4;
    /// # struct Half { vector: VectorEnv, actions: Vec<u32>, observations: Vec<f32>, finals: Vec<f32>, rewards: Vec<f32>,
    /// #     terminated: Vec<bool>, truncated: Vec<bool> }
    /// # impl Half {
    /// #     fn new(vector: VectorEnv) -> Self {
    /// #         let (count, width) = (vector.len(), vector.observation_space().len());
    /// #         Self { vector, actions: vec![0; count], observations: vec![0.0; count * width],
    /// #             finals: vec![0.0; count * width], rewards: vec![0.0; count], terminated: vec![false; count],
    /// #             truncated: vec![false; count] }
    /// #     }
    /// #     fn step_while(&mut self, work: impl FnOnce() + Send) -> stpn_envs::Result<()> {
    /// #         let mut out = Transition { observations: ObservationMut::F32(&mut self.observations),
    /// #             final_observations: ObservationMut::F32(&mut self.finals), rewards: &mut self.rewards,
    /// #             terminated: &mut self.terminated, truncated: &mut self.truncated };
    /// #         self.vector.step_while(Actions::Discrete(&self.actions), &mut out, work).0
    /// #     }
    /// # }
    /// # fn infer(half: &mut Half) { half.actions.fill(1); }
    /// # let config = EnvConfig::from_name("cartpole")?;
    /// let [left, right] = VectorEnv::new(&|_| config.make(), 8, 4, 1)?.into_halves()?;
    /// # let (mut left, mut right) = (Half::new(left), Half::new(right));
    /// # left.vector.reset(ObservationMut::F32(&mut left.observations))?;
    /// # right.vector.reset(ObservationMut::F32(&mut right.observations))?;
    /// infer(&mut left);
    /// for _ in 0..5 {
    ///     left.step_while(|| infer(&mut right))?;
    ///     right.step_while(|| infer(&mut left))?;
    /// }
    /// # Ok::<(), stpn_envs::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] for a vector of one group.
    pub fn into_halves(mut self) -> Result<[Self; 2]> {
        if self.groups.len() < 2 {
            let allowed = format!("at most half of the {} environments, for two halves", self.count);
            return Err(Error::Config { key: "group_size", value: self.count.to_string(), allowed });
        }
        let right = self.groups.split_off(self.groups.len() / 2);
        let half = |groups: Vec<super::EnvGroup>| Self {
            count: groups.iter().map(super::EnvGroup::len).sum(),
            observation_space: self.observation_space.clone(),
            action_space: self.action_space.clone(),
            groups,
        };
        Ok([half(std::mem::take(&mut self.groups)), half(right)])
    }

    /// [`VectorEnv::step`] while `work` is done beside it, on rayon's current pool: inferring the other half's actions.
    /// Returns what came of both.
    pub fn step_while<R: Send>(
        &mut self,
        actions: Actions<'_>,
        out: &mut Transition<'_>,
        work: impl FnOnce() -> R + Send,
    ) -> (Result<()>, R) {
        rayon::join(|| self.step(actions, out), work)
    }
}
