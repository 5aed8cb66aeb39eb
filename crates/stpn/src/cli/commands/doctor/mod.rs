//! `stpn doctor`.

mod policy;

use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::Error;
use stpn_envs::native::{FEATURES, native_parts};
use stpn_envs::registry::{ENVIRONMENTS, Entry};
use stpn_envs::{Dtype, ObservationMut, Space};
use stpn_random::{Purpose, Stream};

use crate::cli::DoctorArguments;
use crate::table;

/// Steps taken in each environment.
const STEPS: usize = 50;

/// Runs the command.
pub fn run(arguments: &DoctorArguments) -> Result<ExitCode> {
    match &arguments.policy {
        Some(experiment) => policy::run(arguments, experiment),
        None => examine_all(),
    }
}

/// Native parts and environments.
fn examine_all() -> Result<ExitCode> {
    println!("stpn {}, {} threads", env!("CARGO_PKG_VERSION"), rayon::current_num_threads());

    println!("\nNative parts");
    let rows: Vec<Vec<String>> = native_parts()
        .into_iter()
        .map(|part| {
            let place = part.path.map_or_else(|| "compiled in".into(), |path| path.display().to_string());
            vec![part.name.into(), part.version, part.licence.into(), part.feature.into(), place]
        })
        .collect();
    if !rows.is_empty() {
        table::print(&["name", "version", "licence", "feature", "where"], &rows, &[]);
    }
    let absent: Vec<&str> = FEATURES.iter().filter(|(_, built)| !built).map(|&(feature, _)| feature).collect();
    if !absent.is_empty() {
        let features = absent.join(",");
        println!("  not in this build: {features}; `cargo xtask setup`, then build with `--features {features}`");
    }
    if FEATURES.contains(&("atari", true)) {
        println!("  with the Atari emulator inside, this binary is under the GPL-2.0");
    }

    println!("\nEnvironments, {STEPS} steps each");
    let mut sound = true;
    let rows: Vec<Vec<String>> = ENVIRONMENTS
        .iter()
        .map(|entry| {
            let found = examine(entry);
            sound &= found.is_ok();
            let (spaces, state) = match found {
                Ok(spaces) => (spaces, "ok".to_string()),
                Err(error) => (String::new(), format!("FAILED: {error}")),
            };
            vec![entry.name.into(), spaces, state]
        })
        .collect();
    table::print(&["name", "observation → action", "state"], &rows, &[]);
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes random steps in an environment with its default settings; its spaces.
fn examine(entry: &Entry) -> Result<String, Error> {
    let mut env = (entry.default)().make()?;
    let (observations, actions) = (env.observation_space().clone(), env.action_space().clone());
    let (mut floats, mut bytes) = (vec![0.0; observations.len()], vec![0; observations.len()]);
    let mut stream = Stream::new(0, Purpose::Test, 0);
    let mut done = true;
    for number in 0..STEPS as u64 {
        if done {
            env.reset(Some(number), buffer(&observations, &mut floats, &mut bytes))?;
        }
        let out = buffer(&observations, &mut floats, &mut bytes);
        done = env.step(actions.sample(&mut stream).get(), out)?.done();
    }
    Ok(format!("{observations:#} → {actions:#}"))
}

fn buffer<'a>(space: &Space, floats: &'a mut [f32], bytes: &'a mut [u8]) -> ObservationMut<'a> {
    match space.dtype() {
        Dtype::F32 => ObservationMut::F32(floats),
        Dtype::U8 => ObservationMut::U8(bytes),
    }
}
