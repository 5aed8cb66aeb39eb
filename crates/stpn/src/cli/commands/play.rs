//! `stpn play`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use stpn_agents::actor::Subject;
use stpn_agents::episode::{Moment, live};
use stpn_agents::{Agent, checkpoint};
use stpn_envs::{Action, Env, EnvConfig};

use crate::cli::PlayArguments;
use crate::cli::exit::UsageError;
use crate::film::{FastMap, Film, Scene, Use, blocks};
use crate::report::episode::FastWeights;
use crate::report::sheet::shortened_to;
use crate::terminal::{self, Colours};

/// Width of the bar that shows how strong the fast weights are.
const BAR: usize = 40;

/// Lines below a picture.
const BELOW: usize = 4;

const GAIN: [u8; 3] = [95, 175, 95];
const LOSS: [u8; 3] = [215, 95, 95];
const FAST: [u8; 3] = [95, 175, 215];

/// Runs the command.
pub fn run(arguments: &PlayArguments) -> Result<ExitCode> {
    let is_gif = |path: &PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gif"));
    if let Some(path) = arguments.gif.as_ref().filter(|path| !is_gif(path)) {
        let problem = format!("--gif {}: only GIFs are written: name a file that ends with .gif", path.display());
        return Err(UsageError(problem).into());
    }
    let agent = match arguments.best {
        true => Agent::of_checkpoint(&checkpoint::best_of_run(&arguments.run)?)?,
        false => Agent::load(&arguments.run)?,
    };
    let (config, subject) = (agent.config(), agent.subject());
    let mut env = config.env.drawing(arguments.gif.is_some()).make().map_err(stpn_agents::Error::from)?;
    match &arguments.gif {
        Some(path) => {
            let frames = film(arguments, &config.env, &subject, &mut env, path)?;
            println!("{}: {frames} frames", path.display());
        }
        None => watch(arguments, &config.env, &subject, &mut env)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// How an episode is shown.
struct Viewer<'a> {
    /// Whether frames can be drawn over each other.
    terminal: bool,
    colours: Option<Colours>,
    scene: Option<Scene>,
    fast: &'a FastWeights,
    /// The greatest size of a single fast weight so far.
    strongest: f32,
}

/// Shows the episode in the terminal: in place on a real one, line by line elsewhere.
fn watch(arguments: &PlayArguments, config: &EnvConfig, subject: &Subject<'_>, env: &mut Box<dyn Env>) -> Result<()> {
    let out = std::io::stdout();
    let fast = FastWeights::of(subject.policy.policy());
    let mut viewer = Viewer {
        terminal: terminal::draws(&out),
        colours: Colours::of(&out),
        // One of Gymnasium makes no pictures unless it is asked for them, and not every one can.
        scene: Scene::of(config, env.as_ref()).filter(|_| env.screen().is_some() || !is_foreign(config)),
        fast: &fast,
        strongest: f32::MIN_POSITIVE,
    };
    if !viewer.terminal
        && let Some(key) = viewer.key()
    {
        println!("{key}");
    }
    let mut total = 0.0;
    let mut shown = Ok(());
    let episode = live(env, subject, arguments.episode_seed, arguments.deterministic, |moment| {
        total += moment.reward;
        let text = viewer.frame(&moment, total);
        if shown.is_ok() {
            shown = show(&text, viewer.terminal, arguments.delay);
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
    write!(out, "{prefix}{text}").and_then(|()| out.flush()).map_err(crate::Error::Output)?;
    if terminal {
        std::thread::sleep(Duration::from_millis(delay));
    }
    Ok(())
}

impl Viewer<'_> {
    /// What is seen after a step.
    fn frame<E: Env>(&mut self, moment: &Moment<'_, E>, total: f64) -> String {
        let (columns, lines) = terminal::size();
        let size = self.fast.size(moment.state);
        let map = self.fast.map(moment.state, &mut self.strongest);
        let picture = self.colours.zip(self.scene.as_ref()).and_then(|(colours, scene)| {
            let picture = scene.draw(moment, map.as_ref(), Use::Terminal)?;
            Some(blocks::lines(&picture, columns, lines.saturating_sub(BELOW).max(4), colours))
        });
        let mut text = picture.or_else(|| moment.env.render()).unwrap_or_default();
        if self.terminal
            && let Some(key) = self.key()
        {
            text += &format!("{key}\n");
        }
        text += &self.status(moment, total, columns);
        if map.is_some() {
            // Beside the greatest single one: the mean itself is the greatest so far in most steps.
            let full = ((size / f64::from(self.strongest)) * BAR as f64).round() as usize;
            let bar = self.painted(FAST, &"█".repeat(full));
            text += &format!("fast weights {bar}{} mean |F| {size:.4}\n", "·".repeat(BAR - full));
        }
        text
    }

    /// Step, action, rewards and value, on one line of a terminal.
    fn status<E: Env>(&self, moment: &Moment<'_, E>, total: f64, columns: usize) -> String {
        let action = match moment.action {
            Action::Discrete(choice) => choice.to_string(),
            Action::Choices(choices) => format!("{choices:?}"),
            Action::Continuous(values) => format!("{values:.3?}"),
        };
        // Many motors do not fit; what is behind them does not move away.
        let action = if self.terminal { shortened_to(&action, columns.saturating_sub(66).max(12)) } else { action };
        let reward = format!("{:>7.2}", moment.reward);
        let reward = match moment.reward {
            reward_now if reward_now > 0.0 => self.painted(GAIN, &reward),
            reward_now if reward_now < 0.0 => self.painted(LOSS, &reward),
            _ => reward,
        };
        format!(
            "step {:>5}  action {action}  reward {reward}  return {total:>8.2}  value {:>7.2}\n",
            moment.step, moment.value
        )
    }

    /// What signs or colours mean.
    fn key(&self) -> Option<String> {
        let signs = self.scene.as_ref()?.key();
        let fast = [([178, 24, 43], "F > 0"), ([33, 102, 172], "F < 0")];
        let parts: Vec<String> = match self.colours {
            Some(colours) => {
                let fast = fast.into_iter().filter(|_| !self.fast.range.is_empty());
                let all = signs.iter().map(|&(_, color, name)| (color, name)).chain(fast);
                all.map(|(color, name)| format!("{} {name}", colours.paint(color, "██"))).collect()
            }
            None => signs.iter().map(|(sign, _, name)| format!("{sign} {name}")).collect(),
        };
        (!signs.is_empty()).then(|| parts.join("   "))
    }

    fn painted(&self, color: [u8; 3], text: &str) -> String {
        self.colours.map_or_else(|| text.to_string(), |colours| colours.paint(color, text))
    }
}

#[cfg(unix)]
fn is_foreign(config: &EnvConfig) -> bool {
    matches!(config, EnvConfig::Gymnasium(_))
}

#[cfg(not(unix))]
fn is_foreign(_: &EnvConfig) -> bool {
    false
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
    let fast = FastWeights::of(subject.policy.policy());
    let mut largest = f32::MIN_POSITIVE;
    live(env, subject, arguments.episode_seed, arguments.deterministic, |moment| {
        let map: Option<FastMap<'_>> = fast.map(moment.state, &mut largest);
        if moment.step as usize <= arguments.frames && written.is_ok() {
            written = film.add(&scene, &moment, map.as_ref());
        }
        Ok(())
    })?;
    written.and_then(|()| film.finish()).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All frames of an episode of the shipped maze agent.
    fn frames(terminal: bool, colours: Option<Colours>) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../checkpoints/maze-small-stpn");
        let agent = Agent::load(&path).unwrap();
        let (config, subject) = (agent.config(), agent.subject());
        let mut env = config.env.make().unwrap();
        let fast = FastWeights::of(subject.policy.policy());
        let scene = Scene::of(&config.env, env.as_ref());
        let strongest = f32::MIN_POSITIVE;
        let mut viewer = Viewer { terminal, colours, scene, fast: &fast, strongest };
        let (mut frames, mut total) = (Vec::new(), 0.0);
        live(&mut env, &subject, 1, false, |moment| {
            total += moment.reward;
            frames.push(viewer.frame(&moment, total));
            Ok(())
        })
        .unwrap();
        frames
    }

    /// What is seen of a text with codes of colours in it.
    fn seen(text: &str) -> String {
        let mut parts = text.split('\x1b');
        let first = parts.next().unwrap_or_default().to_string();
        parts.fold(first, |seen, part| seen + part.split_once('m').map_or("", |(_, rest)| rest))
    }

    #[test]
    fn an_episode_was_gray_text_on_every_terminal() {
        for frame in frames(true, Some(Colours::Full)) {
            let lines: Vec<String> = frame.lines().map(seen).collect();
            let pictures: Vec<usize> = lines.iter().map(|line| line.matches('▀').count()).collect();
            // 9 cells are 18 pixels, two of them a line; beside them a gap and F.
            assert_eq!(pictures.iter().filter(|&&width| width == 18 + 2 + 27).count(), 9, "{lines:?}");
            assert!(lines.iter().any(|line| line.contains("██ wall") && line.contains("██ F > 0")), "{lines:?}");
            assert!(lines.len() <= 24 && lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
            assert!(frame.contains("\x1b[38;2;209;73;91m"), "the agent is red");
        }
    }

    #[test]
    fn the_bar_of_fast_weights_was_always_full() {
        let bar = |frame: &String| {
            let line = frame.lines().find(|line| line.starts_with("fast weights")).unwrap().to_string();
            assert_eq!(line.matches(['█', '·']).count(), BAR, "{line}");
            line.matches('█').count()
        };
        let lengths: Vec<usize> = frames(false, None).iter().map(bar).collect();
        assert!(lengths.iter().all(|&length| length < BAR), "{lengths:?}");
        assert!(lengths.iter().max() > lengths.iter().min(), "{lengths:?}");
    }

    #[test]
    fn without_colours_it_is_text_with_a_key() {
        for frame in frames(true, None) {
            assert!(!frame.contains('\x1b') && frame.contains("@@"), "{frame}");
            assert!(frame.contains("██ wall   @@ agent   $$ goal"), "{frame}");
        }
        let plain = frames(false, None);
        assert!(plain.iter().all(|frame| !frame.contains('\x1b') && !frame.contains("agent")), "{}", plain[0]);
    }
}
