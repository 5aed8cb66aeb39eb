//! A model in motion.

use std::sync::Arc;

use mujoco_rs::prelude::MjtState;
use mujoco_rs::wrappers::{MjData, MjModel, mj_model::MjtObjBase};

use crate::{Dtype, Error, Result, Space, state};

/// Positions, velocities, controls and the solver's warm start: all that the next step depends on.
const INTEGRATION: u32 = MjtState::mjSTATE_INTEGRATION as u32;

/// What MuJoCo's warnings mean, in the order of their numbers.
const WARNINGS: [&str; 7] = [
    "the inertia matrix is singular in degree of freedom",
    "there is no memory for more contacts than",
    "there is no memory for more constraints than",
    "a position is infinite, huge or no number, number",
    "a velocity is infinite, huge or no number, in degree of freedom",
    "an acceleration is infinite, huge or no number, in degree of freedom",
    "a control is infinite, huge or no number, of actuator",
];

/// A simulation that advances by a fixed number of the model's own steps at a time.
pub struct Simulation {
    data: MjData<Arc<MjModel>>,
    frame_skip: u32,
}

impl Simulation {
    /// At rest in the model's default pose.
    ///
    /// # Errors
    /// [`Error::Config`] for a `frame_skip` of 0, [`Error::Simulator`] if there is no memory.
    pub(super) fn new(environment: &str, model: Arc<MjModel>, frame_skip: u32) -> Result<Self> {
        if frame_skip == 0 {
            return Err(Error::Config { key: "frame_skip", value: "0".into(), allowed: "at least 1".into() });
        }
        let data = MjData::try_new(model)
            .map_err(|error| Error::Simulator { environment: environment.into(), problem: error.to_string() })?;
        Ok(Self { data, frame_skip })
    }

    /// The simulator's data.
    pub fn data(&self) -> &MjData<Arc<MjModel>> {
        &self.data
    }

    /// Generalised positions, `qpos`.
    pub fn positions(&self) -> &[f64] {
        self.data.qpos()
    }

    /// Generalised velocities, `qvel`.
    pub fn velocities(&self) -> &[f64] {
        self.data.qvel()
    }

    /// The model's own steps in one advance.
    pub fn frame_skip(&self) -> u32 {
        self.frame_skip
    }

    /// Simulated seconds of one advance.
    pub fn seconds(&self) -> f64 {
        self.data.model().opt().timestep * f64::from(self.frame_skip)
    }

    /// Position of a body's frame.
    pub(super) fn body_position(&self, body: usize) -> [f64; 3] {
        self.data.xpos()[body]
    }

    /// The number of the body of that name.
    ///
    /// # Errors
    /// [`Error::Simulator`] if the model has none.
    pub(super) fn body(&self, environment: &str, name: &str) -> Result<usize> {
        self.data.model().name_to_id(MjtObjBase::mjOBJ_BODY, name).ok_or_else(|| Error::Simulator {
            environment: environment.into(),
            problem: format!("the model has no body named `{name}`"),
        })
    }

    /// Refuses a model with fewer positions, velocities or sites than a task's rules refer to.
    pub(super) fn require(&self, environment: &str, positions: usize, velocities: usize, sites: usize) -> Result<()> {
        let model = self.data.model();
        for (what, least, got) in [
            ("positions", positions, self.positions().len()),
            ("velocities", velocities, self.velocities().len()),
            ("sites", sites, model.site_pos().len()),
        ] {
            if got < least {
                let problem = format!("the model has {got} {what}, the task needs {least} at least");
                return Err(Error::Simulator { environment: environment.into(), problem });
            }
        }
        Ok(())
    }

    /// The controls' bounds; an actuator without a control range has none.
    pub(super) fn action_space(&self) -> Space {
        let model = self.data.model();
        let ranges = model.actuator_ctrlrange();
        let bounds = ranges.iter().zip(model.actuator_ctrllimited()).map(|(&[low, high], &limited)| match limited {
            true => (low as f32, high as f32),
            false => (f32::NEG_INFINITY, f32::INFINITY),
        });
        let (low, high): (Vec<_>, Vec<_>) = bounds.unzip();
        Space::Box { low, high, shape: vec![ranges.len()], dtype: Dtype::F32 }
    }

    /// Positions of the model's default pose.
    pub(super) fn default_positions(&self) -> &[f64] {
        self.data.model().qpos0()
    }

    /// Forgets everything and starts from these positions and velocities.
    pub(super) fn start(&mut self, positions: &[f64], velocities: &[f64]) {
        self.data.reset();
        self.data.qpos_mut().copy_from_slice(positions);
        self.data.qvel_mut().copy_from_slice(velocities);
    }

    /// Computes what derives from positions and velocities: body positions, forces, accelerations.
    pub(super) fn derive(&mut self) {
        self.data.forward();
    }

    /// Fails if MuJoCo has warned since the start: from then on it simulates something else than the task, usually
    /// by starting over without a word.
    ///
    /// # Errors
    /// [`Error::Simulator`] with the warning.
    pub(super) fn sound(&self, environment: &str) -> Result<()> {
        let mut warnings = self.data.warning().iter().zip(WARNINGS);
        let Some((warning, meaning)) = warnings.find(|(warning, _)| warning.number > 0) else { return Ok(()) };
        let (place, time) = (warning.lastinfo, self.data.time());
        Err(Error::Simulator {
            environment: environment.into(),
            problem: format!(
                "MuJoCo warns that {meaning} {place} (simulated time {time:.3} s): the physics diverged or ran out of \
                 memory; a shorter timestep in the model, or weaker forces, may help"
            ),
        })
    }

    /// Holds the controls for one advance.
    pub(super) fn advance(&mut self, controls: &[f32]) {
        for (control, &value) in self.data.ctrl_mut().iter_mut().zip(controls) {
            *control = value.into();
        }
        for _ in 0..self.frame_skip {
            self.data.step();
        }
    }

    /// Computes the contact forces on every body, which the simulator leaves out of its steps.
    pub(super) fn derive_contact_forces(&mut self) {
        self.data.rne_post_constraint();
    }

    /// All that the next advance depends on.
    pub(super) fn save(&self) -> Box<[f64]> {
        self.data.state(INTEGRATION)
    }

    /// Takes over what [`Simulation::save`] gave in a simulation of the same model.
    pub(super) fn restore(&mut self, environment: &str, saved: &[f64]) -> Result<()> {
        let expected = self.data.model().state_size(INTEGRATION);
        if saved.len() != expected {
            let problem = format!("{} numbers in place of {expected}", saved.len());
            return Err(state::refused(environment, problem));
        }
        if !saved.iter().all(|number| number.is_finite()) {
            return Err(state::refused(environment, "a number of the state is not finite"));
        }
        // Warnings are of the history that ends here.
        self.data.reset();
        self.data.set_state(saved, INTEGRATION).map_err(|error| state::refused(environment, error))
    }
}
