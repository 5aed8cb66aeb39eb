//! `stpn play`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use stpn_agents::Agent;
use stpn_agents::actor::Subject;
use stpn_agents::episode::{Moment, live};
use stpn_envs::{Action, Env, EnvConfig};

use crate::cli::PlayArguments;
use crate::film::{Film, Scene};
use crate::report::episode::FastWeights;
use crate::terminal;

/// Width of the bar that shows how strong the fast weights are.
const BAR: usize = 40;

/// Runs the command.
pub fn run(arguments: &PlayArguments) -> Result<ExitCode> {
    let agent = Agent::load(&arguments.run)?;
    let (config, subject) = (agent.config(), agent.subject());
    let mut env = config.env.drawing(arguments.gif.is_some()).make().map_err(stpn_agents::Error::from)?;
    match &arguments.gif {
        Some(path) => {
            let frames = film(arguments, &config.env, &subject, &mut env, path)?;
            println!("{}: {frames} frames", path.display());
        }
        None => watch(arguments, &subject, &mut env)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the episode in the terminal: in place on a real one, line by line elsewhere.
fn watch(arguments: &PlayArguments, subject: &Subject<'_>, env: &mut Box<dyn Env>) -> Result<()> {
    let terminal = terminal::draws(&std::io::stdout());
    let fast = FastWeights::of(subject.policy.policy());
    let mut strongest = f64::MIN_POSITIVE;
    let mut total = 0.0;
    let mut shown = Ok(());
    let episode = live(env, subject, arguments.episode_seed, arguments.deterministic, |moment| {
        total += moment.reward;
        let size = fast.size(moment.state);
        strongest = strongest.max(size);
        let text = frame(&moment, total, (!fast.range.is_empty()).then_some((size, strongest)));
        if shown.is_ok() {
            shown = show(&text, terminal, arguments.delay);
        }
        Ok(())
    })?;
    shown?;
    println!("return {:.2} in {} steps", episode.total_reward, episode.length);
    Ok(())
}

fn show(text: &str, terminal: bool, delay: u64) -> Result<()> {
    let mut out = std::io::stdout().lock();
    // From the upper left corner, so that each frame covers the one before.
    let prefix = if terminal { "\x1b[H\x1b[J" } else { "" };
    write!(out, "{prefix}{text}").and_then(|()| out.flush()).context("cannot write to the terminal")?;
    if terminal {
        std::thread::sleep(Duration::from_millis(delay));
    }
    Ok(())
}

fn frame<E: Env>(moment: &Moment<'_, E>, total: f64, fast: Option<(f64, f64)>) -> String {
    let action = match moment.action {
        Action::Discrete(choice) => choice.to_string(),
        Action::Choices(choices) => format!("{choices:?}"),
        Action::Continuous(values) => format!("{values:.3?}"),
    };
    let mut text = moment.env.render().unwrap_or_default();
    text += &format!(
        "step {:>5}  action {action}  reward {:>7.2}  return {total:>8.2}  value {:>7.2}\n",
        moment.step, moment.reward, moment.value
    );
    if let Some((size, strongest)) = fast {
        let full = ((size / strongest) * BAR as f64).round() as usize;
        text += &format!("fast weights {}{} mean |F| {size:.4}\n", "█".repeat(full), "·".repeat(BAR - full));
    }
    text
}

/// Records the episode as pictures in a file; returns how many there are.
fn film(
    arguments: &PlayArguments,
    config: &EnvConfig,
    subject: &Subject<'_>,
    env: &mut Box<dyn Env>,
    path: &Path,
) -> Result<usize> {
    let Some(scene) = Scene::of(config, env.as_ref()) else {
        bail!("no pictures of `{}` can be drawn; leave --gif out to watch it in the terminal", env.name());
    };
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut film = Film::new(BufWriter::new(file));
    let mut written = Ok(());
    live(env, subject, arguments.episode_seed, arguments.deterministic, |moment| {
        if moment.step as usize <= arguments.frames && written.is_ok() {
            written = film.add(&scene, &moment);
        }
        Ok(())
    })?;
    written.and_then(|()| film.finish()).with_context(|| format!("cannot write {}", path.display()))
}
