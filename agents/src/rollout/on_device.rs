//! Rollouts that a device collects, while the environments here follow.
//!
//! The device plays environments and policy step by step, with the numbers that the streams here give; or it is told
//! what the environments will show, if that does not depend on actions but for showing the one before. The workers'
//! environments are stepped afterwards with the same actions: so their states, episodes and observations are theirs, a
//! checkpoint is the same as ever, and what the device got wrong is found.

use rayon::prelude::*;
use stpn_envs::vector::Foresight;
use stpn_envs::{Echo, OnDevice};

use super::{Normalization, Worker, finals, together};
use crate::actor::{Actor, Subject};
use crate::policy::ActorCritic;
use crate::policy::accelerator::{Collected, Environments, Foreseen, Kept, Rollout, Rollouts};
use crate::policy::encoder::ObservationRef;
use crate::{Error, Result};

/// Why a device does not collect the rollouts of these workers, in words; nothing if it does.
pub fn obstacle(workers: &[Worker], policy: &ActorCritic, normalization: &Normalization) -> Option<String> {
    if let Err(reason) = policy.rollouts() {
        return Some(reason);
    }
    if !normalization.observations.is_empty() {
        return Some("normalization.observations is on".to_string());
    }
    match played(workers).as_deref() {
        Some([first, rest @ ..]) if rest.iter().all(|other| other.has_rules_of(first)) => None,
        Some(_) => Some("the environments have different rules".to_string()),
        None if echo(workers).is_some() => None,
        None => Some("there is no kernel for this environment".to_string()),
    }
}

/// All environments as a device plays them; none if it does not know one.
fn played(workers: &[Worker]) -> Option<Vec<OnDevice>> {
    workers.iter().map(|worker| worker.on_device(0)).collect::<Option<Vec<_>>>().map(|groups| groups.concat())
}

/// The same for so many steps, for which there is more to be drawn.
fn staged(workers: &mut [Worker], steps: usize) -> Result<Vec<OnDevice>> {
    let groups: Vec<_> = workers.par_iter_mut().map(|worker| worker.on_device(steps)).collect();
    Ok(groups.into_iter().collect::<Option<Vec<_>>>().ok_or_else(changed)?.concat())
}

/// The error of environments that a device knew before.
fn changed() -> Error {
    Error::config("training.device", "the environments cannot be played on a device any more")
}

/// Where all environments show the action before, if nothing else depends on actions.
fn echo(workers: &[Worker]) -> Option<Echo> {
    let mut all = workers.iter().map(|worker| worker.group().echo());
    let first = all.next()??;
    all.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// What the environments of every worker will show.
struct Ahead {
    echo: Echo,
    workers: Vec<Foresight>,
}

impl Ahead {
    /// Looks that many steps ahead; none if the device plays the environments.
    fn new(workers: &mut [Worker], steps: usize) -> Result<Option<Self>> {
        let Some(echo) = echo(workers).filter(|_| played(workers).is_none()) else { return Ok(None) };
        let foreseen: Vec<Result<Foresight>> = workers.par_iter_mut().map(|worker| worker.foresee(steps)).collect();
        Ok(Some(Self { echo, workers: foreseen.into_iter().collect::<Result<_>>()? }))
    }

    /// The part of steps `first` to `first + steps`, as the device is told.
    fn part(&self, policy: &ActorCritic, first: usize, steps: usize) -> Foreseen {
        let (mut observations, mut starts) = (Vec::new(), Vec::new());
        for t in first..first + steps {
            for foresight in &self.workers {
                let (shown, own) = foresight.after(t);
                observations.extend_from_slice(&policy.numbers(ObservationRef::F32(shown)));
                starts.extend_from_slice(own);
            }
        }
        Foreseen { echo: self.echo.inputs().start, observations, starts }
    }
}

/// What is wanted of a rollout beside what was collected.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// What a gradient from its steps needs is left on the device.
    pub keep: bool,
    /// All observations are compared with those of the environments here.
    pub watched: bool,
}

/// Collects one fragment of every worker on the device, and leaves it in [`Worker::fragment`]. Returns what is kept of
/// its last training sequence.
///
/// # Errors
/// Fails if the device or an environment does, and with [`crate::Error::Stopped`] if the update is to be given up;
/// [`crate::Error::Differs`] if the device got something wrong, [`crate::Error::NotForeseen`] if an environment shows
/// something else than it did in advance.
///
/// # Panics
/// If the device gives arrays of other lengths than the rollout asks for.
pub fn collect(
    workers: &mut [Worker],
    (rollouts, parameters): (&dyn Rollouts, &Kept),
    subject: Subject<'_>,
    wanted: Wanted,
) -> Result<Option<Kept>> {
    let Some(shape) = workers.first().map(|worker| worker.fragment().shape) else { return Ok(None) };
    let ahead = Ahead::new(workers, shape.steps)?;
    let (policy, mut last) = (subject.policy.policy(), None);
    workers.par_iter_mut().for_each(|worker| worker.begin(subject.normalization));
    for segment in 0..shape.segments() {
        let (first, steps) = (segment * shape.sequence_length, shape.segment_steps(segment));
        let environments = match &ahead {
            Some(ahead) => Environments::Foreseen(ahead.part(policy, first, steps)),
            None => Environments::Played(staged(workers, steps)?),
        };
        let rollout = stage(workers, segment, (policy, environments, wanted.watched))?;
        let (collected, kept) = rollouts.collect(&rollout, parameters, wanted.keep)?;
        last = kept;
        follow(workers, segment, (policy, ahead.as_ref()), &collected)?;
        finals::take_in(workers, subject, segment)?;
    }
    let state: Vec<f32> = workers.iter().flat_map(Worker::state).copied().collect();
    let mut actor = Actor::new(subject, workers.iter().map(|worker| worker.group().len()).sum())?;
    actor.session_mut().load(&state)?;
    together::end(workers, &mut actor, &state)?;
    Ok(last)
}

/// What the device needs for a training sequence of every environment.
fn stage(
    workers: &mut [Worker],
    segment: usize,
    (policy, environments, watched): (&ActorCritic, Environments, bool),
) -> Result<Rollout> {
    let steps = workers.first().map_or(0, |worker| worker.fragment().shape.segment_steps(segment));
    let uniform: Vec<Vec<f64>> = workers.par_iter_mut().map(|worker| worker.prepare(segment)).collect();
    let mut rollout = Rollout {
        steps,
        environments,
        uniform: uniform.concat(),
        observations: Vec::new(),
        episode_starts: Vec::new(),
        state: Vec::new(),
        watched,
        energy: None,
    };
    workers.iter().try_for_each(|worker| worker.stage(segment, policy, &mut rollout))?;
    if rollout.episode_starts.contains(&0) {
        rollout.state = workers.iter().flat_map(Worker::state).copied().collect();
    }
    Ok(rollout)
}

/// Lets the environments follow. What fails first, by the order of the environments, is returned.
fn follow(
    workers: &mut [Worker],
    segment: usize,
    (policy, ahead): (&ActorCritic, Option<&Ahead>),
    collected: &Collected,
) -> Result<()> {
    let mut first = 0;
    let firsts: Vec<usize> = workers
        .iter()
        .map(|worker| {
            let own = first;
            first += worker.group().len();
            own
        })
        .collect();
    let followed: Vec<Result<()>> = (workers.par_iter_mut().zip(firsts).enumerate())
        .map(|(number, (worker, first))| {
            let foreseen = ahead.map(|ahead| (&ahead.workers[number], &ahead.echo));
            worker.follow(segment, (collected, first), policy, foreseen)
        })
        .collect();
    followed.into_iter().collect()
}
