//! What losses read of a policy, and the gradient that they leave.

use crate::distribution::{Distribution, Gaussian, Std};
use crate::lengths::expect_all;
use crate::runner::{Plain, Runner, Unit, int, reduce};
use crate::{Real, Result};

/// Outputs of a policy's heads over N steps, and the parameters of its distributions that no head puts out. `A` is an
/// array.
#[derive(Debug)]
pub struct Outputs<'a, A: ?Sized> {
    /// `[N, parameters + 1]`: those that the head puts out, then a value; without the value if the critic has a network
    /// of its own.
    pub policy: &'a A,
    /// `[N]` values of a critic of its own.
    pub values: Option<&'a A>,
    /// The free parameters, if there are any.
    pub free: Option<&'a A>,
}

/// The gradient of a loss in [`Outputs`].
#[derive(Clone, Debug, PartialEq)]
pub struct OutputGradients<A> {
    /// Of the outputs with the policy's parameters.
    pub policy: A,
    /// Of the values of a critic of its own.
    pub values: Option<A>,
    /// Of the free parameters, summed over all steps.
    pub free: Option<A>,
}

impl<A> OutputGradients<A> {
    /// The same in other arrays.
    pub fn map<B>(self, mut to: impl FnMut(A) -> B) -> OutputGradients<B> {
        let policy = to(self.policy);
        OutputGradients { policy, values: self.values.map(&mut to), free: self.free.map(&mut to) }
    }
}

impl<A: ?Sized> Outputs<'_, A> {
    /// Refuses outputs over other steps than those, and of other distributions.
    pub(crate) fn check(&self, policy: &Distribution, steps: usize, len: impl Fn(&A) -> usize) -> Result<()> {
        let width = policy.head_parameters() + usize::from(self.values.is_none());
        expect_all(&[("outputs", len(self.policy))], steps * width)?;
        expect_all(&[("values of the critic", self.values.map_or(steps, &len))], steps)?;
        expect_all(&[("free parameters", self.free.map_or(0, &len))], policy.free_parameters())
    }
}

/// A policy's distributions, outputs and actions where kernels can reach them; addresses of what has elements of
/// another type, 0 for none.
#[derive(Debug)]
pub(crate) struct PolicyInputs<'a, A> {
    pub distribution: &'a Distribution,
    pub outputs: Outputs<'a, A>,
    /// Of each list.
    pub choices: u64,
    pub log_halves: u64,
    /// Of choices and switches.
    pub actions: u64,
    /// Of a Gaussian.
    pub draws: u64,
}

/// `PolicyOperands` of `kernels/policy_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyOperands {
    kind: i32,
    dims: i32,
    len: i32,
    head_len: i32,
    softplus: i32,
    least: f64,
    choices: u64,
    log_halves: u64,
    actions: u64,
    draws: u64,
    outputs: u64,
    values: u64,
    free: u64,
    grad: u64,
    grad_values: u64,
    grad_free: u64,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for PolicyOperands {}

impl<A> PolicyInputs<'_, A> {
    /// Room for the gradient of so many steps: of the free parameters, for that of each step.
    pub fn gradients<T: Real, R: Runner<T, Array = A>>(&self, runner: &R, steps: usize) -> Result<OutputGradients<A>> {
        let Outputs { values, free, .. } = self.outputs;
        let width = self.distribution.head_parameters() + usize::from(values.is_none());
        Ok(OutputGradients {
            policy: runner.reserve(steps * width)?,
            values: values.map(|_| runner.reserve(steps)).transpose()?,
            free: free.map(|_| runner.reserve(steps * self.distribution.free_parameters())).transpose()?,
        })
    }

    /// What a kernel is given.
    pub fn operands<T: Real, R: Runner<T, Array = A>>(&self, runner: &R, to: &OutputGradients<A>) -> PolicyOperands {
        let address = |array: Option<&A>| array.map_or(0, |array| runner.address(array));
        let (kind, least) = match self.distribution {
            Distribution::Categorical(_) => (0, None),
            Distribution::Bernoulli(_) => (1, None),
            Distribution::Gaussian(Gaussian { std: Std::Softplus { least }, .. }) => (2, Some(*least)),
            Distribution::Gaussian(Gaussian { std: Std::StateIndependent, .. }) => (2, None),
        };
        PolicyOperands {
            kind,
            dims: int(self.distribution.dims()),
            len: int(self.distribution.parameters()),
            head_len: int(self.distribution.head_parameters()),
            softplus: i32::from(least.is_some()),
            least: least.unwrap_or(0.0),
            choices: self.choices,
            log_halves: self.log_halves,
            actions: self.actions,
            draws: self.draws,
            outputs: runner.address(self.outputs.policy),
            values: address(self.outputs.values),
            free: address(self.outputs.free),
            grad: runner.address(&to.policy),
            grad_values: address(to.values.as_ref()),
            grad_free: address(to.free.as_ref()),
        }
    }
}

impl<A> OutputGradients<A> {
    /// Adds up what the steps left for the free parameters, in an order that depends on their number alone.
    pub(crate) fn summed<T: Real, R: Runner<T, Array = A>>(
        self,
        runner: &R,
        policy: &Distribution,
        steps: usize,
    ) -> Result<Self> {
        let sum = |free| reduce(runner, Unit::General, free, steps, policy.free_parameters());
        Ok(Self { free: self.free.map(sum).transpose()?, ..self })
    }
}
