//! The one way in which a command is asked to end early, whoever asks.
//!
//! INT, TERM and HUP ask for an end; USR1, USR2 and XCPU are how Slurm, Grid Engine and limits of CPU time warn of one.
//! Batch systems, `timeout` and process groups deliver such a signal several times within moments, which is the same
//! request; only a person who presses Ctrl-C again at a terminal, seconds later, asks for an end at once.

use std::io::{IsTerminal, Read};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use stpn_agents::Stop;
use stpn_agents::collective::Collective;

use crate::cli::EndingArguments;
use crate::cli::exit;
use crate::{Error, Result, say};

/// What an update has to end in once an end was asked for, before it is given up. Batch systems kill ten seconds or
/// more after they asked.
pub const GRACE: Duration = Duration::from_secs(5);

/// The same where several ranks train: `mpirun` kills them a second after it passed the signal on.
pub const GRACE_OF_RANKS: Duration = Duration::ZERO;

/// The same after a warning, which comes a minute or more before the end.
const GRACE_AFTER_WARNING: Duration = Duration::from_secs(30);

/// Within this time of the first one, another Ctrl-C is no impatience.
const SAME_REQUEST: Duration = Duration::from_secs(2);

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A batch system will end this process before long.
    Warning,
    /// An end, soon.
    End,
    /// An end at once: a person at the terminal does not want to wait for a checkpoint.
    Now,
}

/// What is heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// A signal that asks, also the end of the process that wanted this one's work.
    Asked,
    /// Ctrl-C, or what looks the same.
    Interrupt,
    /// A signal that warns.
    Warned,
}

/// Tells requests from their repetitions.
#[derive(Debug)]
struct Ears {
    /// Whether a person sits at a terminal.
    person: bool,
    warned: bool,
    asked: Option<Instant>,
}

impl Ears {
    fn hear(&mut self, heard: Heard, now: Instant) -> Option<Request> {
        match (heard, self.asked) {
            (Heard::Warned, None) => (!std::mem::replace(&mut self.warned, true)).then_some(Request::Warning),
            (Heard::Asked | Heard::Interrupt, None) => {
                self.asked = Some(now);
                Some(Request::End)
            }
            (Heard::Interrupt, Some(first)) if self.person && now - first >= SAME_REQUEST => Some(Request::Now),
            _ => None,
        }
    }
}

/// Calls `react` from a thread of its own with every request to end from now on, repetitions left out. `with_parent`:
/// the end of stdin is one, since it means that the process which wanted this one's work is gone.
///
/// # Errors
/// Fails if signals cannot be caught.
pub fn listen(with_parent: bool, mut react: impl FnMut(Request) + Send + 'static) -> Result<()> {
    let (speaker, requests) = channel();
    catch(speaker.clone())?;
    if with_parent {
        spawn("parent", move || {
            // Nothing is ever written to it.
            let _ = std::io::stdin().read(&mut [0]);
            let _ = speaker.send(Heard::Asked);
        })?;
    }
    let mut ears = Ears { person: person(), warned: false, asked: None };
    spawn("requests", move || {
        for heard in requests {
            if let Some(request) = ears.hear(heard, Instant::now()) {
                react(request);
            }
        }
    })
}

/// The wish to stop of a training, from any request: after the update under way if that ends within the grace, else in
/// its middle. The first rank says so.
///
/// # Errors
/// Fails if signals cannot be caught; [`Error::Unfit`] for an impossible grace.
pub fn stop_training(ending: &EndingArguments, ranks: &dyn Collective) -> Result<Stop> {
    let grace = match ending.grace {
        Some(seconds) => Duration::try_from_secs_f64(seconds)
            .map_err(|error| Error::Unfit(format!("a grace of {seconds} s: {error}")))?,
        None if ranks.size() > 1 => GRACE_OF_RANKS,
        None => GRACE,
    };
    let aloud = ranks.is_root();
    let stop = Stop::default();
    let wish = stop.clone();
    listen(ending.with_parent, move |request| {
        let grace = match request {
            Request::Now => std::process::exit(i32::from(exit::INTERRUPTED)),
            Request::Warning => grace.max(GRACE_AFTER_WARNING),
            Request::End => grace,
        };
        wish.ask();
        let late = wish.clone();
        let waiting = spawn("grace", move || {
            std::thread::sleep(grace);
            late.abandon();
        });
        if waiting.is_err() {
            wish.abandon();
        }
        if aloud {
            let again = if person() { "; Ctrl-C again, later than this one: an end at once, without" } else { "" };
            say::note(format!(
                "\nending: this update has {} s to finish, then a checkpoint is written{again}",
                grace.as_secs_f64()
            ));
        }
    })?;
    Ok(stop)
}

/// Whether a person can watch, and press keys.
fn person() -> bool {
    std::io::stdin().is_terminal() || std::io::stderr().is_terminal()
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new().name(name.into()).spawn(work).map(drop).map_err(Error::system("cannot start a thread"))
}

#[cfg(unix)]
fn catch(speaker: Sender<Heard>) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
    use signal_hook::iterator::Signals;
    let mut signals = vec![SIGINT, SIGTERM];
    // What whoever started this program ignores stays ignored: `nohup` does so with HUP. INT is caught all the same:
    // shells ignore it in every background process of a script, where it is only sent on purpose.
    signals.extend([SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU].into_iter().filter(|&signal| !ignored(signal)));
    let mut signals = Signals::new(signals).map_err(Error::system("cannot catch signals"))?;
    spawn("signals", move || {
        for signal in signals.forever() {
            let heard = match signal {
                SIGINT => Heard::Interrupt,
                SIGUSR1 | SIGUSR2 | SIGXCPU => Heard::Warned,
                _ => Heard::Asked,
            };
            if speaker.send(heard).is_err() {
                break;
            }
        }
    })
}

/// Whether this process was started with a signal ignored. Unknown elsewhere than on Linux: HUP is then left alone, so
/// that `nohup` holds.
#[cfg(unix)]
fn ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    match status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok()) {
        Some(mask) => mask >> (signal - 1) & 1 == 1,
        None => signal == signal_hook::consts::SIGHUP,
    }
}

#[cfg(not(unix))]
fn catch(speaker: Sender<Heard>) -> Result<()> {
    ctrlc::set_handler(move || {
        // Nobody listens where the program ends.
        let _ = speaker.send(Heard::Interrupt);
    })
    .map_err(|error| Error::System { action: "cannot catch Ctrl-C", source: std::io::Error::other(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ears(person: bool) -> Ears {
        Ears { person, warned: false, asked: None }
    }

    #[test]
    fn a_signal_doubled_within_moments_is_one_request() {
        let (start, mut ears) = (Instant::now(), ears(true));
        assert_eq!(ears.hear(Heard::Asked, start), Some(Request::End));
        for heard in [Heard::Asked, Heard::Interrupt, Heard::Warned, Heard::Asked] {
            assert_eq!(ears.hear(heard, start + Duration::from_millis(300)), None);
        }
        assert_eq!(ears.hear(Heard::Asked, start + Duration::from_secs(60)), None, "a scheduler repeats itself");
    }

    #[test]
    fn only_a_person_is_impatient() {
        let start = Instant::now();
        let later = start + SAME_REQUEST;
        for (person, expected) in [(true, Some(Request::Now)), (false, None)] {
            let mut ears = ears(person);
            assert_eq!(ears.hear(Heard::Interrupt, start), Some(Request::End));
            assert_eq!(ears.hear(Heard::Interrupt, later), expected);
        }
    }

    #[test]
    fn a_warning_is_followed_by_a_request() {
        let (start, mut ears) = (Instant::now(), ears(false));
        assert_eq!(ears.hear(Heard::Warned, start), Some(Request::Warning));
        assert_eq!(ears.hear(Heard::Warned, start), None);
        assert_eq!(ears.hear(Heard::Asked, start), Some(Request::End));
    }
}
