//! Whose code is run: that of installed packages of environments, and any other only where the user says so.
//!
//! A configuration may come with a stranger's checkpoint. Without leave only Gymnasium's registry is asked, and of
//! `import` only packages that are installed and require Gymnasium.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::GymnasiumConfig;
use crate::{Error, Result};

/// What the user has given leave for, in this whole process.
struct Leave {
    /// All code that configurations name.
    code: bool,
    /// Saved states of anybody.
    states: bool,
    /// Saved states of anybody, for as long as there are such [`StatesTrusted`].
    meanwhile: usize,
    /// Of the code that configurations name, this: values of `env.make`, `env.import` and `env.wrappers`.
    named: Vec<String>,
}

static LEAVE: Mutex<Leave> = Mutex::new(Leave { code: false, states: false, meanwhile: 0, named: Vec::new() });

fn leave() -> MutexGuard<'static, Leave> {
    LEAVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets this process run the code that configurations name: files, modules and wrappers of `env.make`, `env.import` and
/// `env.wrappers`. For configurations that the user wrote or named as trusted.
pub fn trust_environment_code() {
    leave().code = true;
}

/// Lets this process run code that a configuration names if it is among these values of `env.make` and `env.import`, and
/// wrappers of the same modules.
pub fn trust_named_code(code: impl IntoIterator<Item = String>) {
    leave().named.extend(code);
}

/// Lets this process run the code that these settings name, and no other: for a configuration that the user wrote or
/// named as trusted, in a program which also reads those of others.
pub fn trust_code_of(config: &GymnasiumConfig) {
    let mut leave = leave();
    let make = Some(&config.make).filter(|make| !make.is_empty());
    for code in make.into_iter().chain(&config.import).chain(&config.wrappers) {
        if !leave.named.contains(code) {
            leave.named.push(code.clone());
        }
    }
}

/// As long as it lives, what [`trust_saved_states`] allows is allowed.
#[derive(Debug)]
pub struct StatesTrusted(());

impl StatesTrusted {
    /// Allows it from now on.
    #[expect(clippy::new_without_default, reason = "it is leave, which nobody is given by default")]
    pub fn new() -> Self {
        leave().meanwhile += 1;
        Self(())
    }
}

impl Drop for StatesTrusted {
    fn drop(&mut self) {
        leave().meanwhile -= 1;
    }
}

/// Lets this process restore environments that others saved by pickle, which runs whatever code their author put there.
/// What this user's own programs saved needs no leave.
pub fn trust_saved_states() {
    leave().states = true;
}

/// Whether states that others pickled may be read.
pub(super) fn takes_states() -> bool {
    let leave = leave();
    leave.states || leave.meanwhile > 0
}

/// Whether all code that a configuration names may be run: by leave for all, or since there is leave for each.
pub(super) fn is_given(config: &GymnasiumConfig) -> bool {
    let leave = leave();
    let make = Some(&config.make).filter(|make| !make.is_empty());
    let code: Vec<&String> = make.into_iter().chain(&config.import).collect();
    let wrapped = config.wrappers.iter().any(|wrapper| leave.named.contains(wrapper));
    leave.code || ((wrapped || !code.is_empty()) && code.iter().all(|code| leave.named.contains(code)))
}

/// Of the modules that a configuration imports, those that there is leave for.
pub(super) fn named_imports(config: &GymnasiumConfig) -> Vec<&String> {
    let leave = leave();
    config.import.iter().filter(|module| leave.code || leave.named.contains(module)).collect()
}

/// Refuses settings that name code which nobody allowed. What is imported beside it is looked at where it is installed.
pub(super) fn require(config: &GymnasiumConfig) -> Result<()> {
    let leave = leave();
    let made = config.make.is_empty() || leave.named.contains(&config.make);
    let wrapped = |wrapper: &String| is_known(wrapper) || leave.named.iter().any(|code| is_of(wrapper, code));
    if leave.code || (made && config.wrappers.iter().all(wrapped)) {
        return Ok(());
    }
    let mut code: Vec<String> = config.import.iter().map(|module| format!("import {module}")).collect();
    if !config.make.is_empty() {
        code.push(format!("call {}", config.make));
    }
    code.extend(config.wrappers.iter().map(|wrapper| format!("call {wrapper}")));
    Err(Error::Untrusted { code: code.join(", ") })
}

/// Whether a wrapper is one of packages that are known to have nothing else than environments.
fn is_known(wrapper: &str) -> bool {
    ["gymnasium.wrappers:", "minigrid.wrappers:"].iter().any(|module| wrapper.starts_with(module))
}

/// Whether a wrapper is of the module, or of one below it, that a value of `env.make` or `env.import` names.
fn is_of(wrapper: &str, code: &str) -> bool {
    let module_of = |name: &str| name.rsplit_once(':').map_or(name.to_string(), |(module, _)| module.to_string());
    let (wrapper, module) = (module_of(wrapper), module_of(code));
    let module = match Path::new(&module).file_stem() {
        Some(stem) if module.ends_with(".py") => stem.to_string_lossy().into_owned(),
        _ => module,
    };
    wrapper.strip_prefix(&module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evil() -> GymnasiumConfig {
        GymnasiumConfig {
            make: "/tmp/evil.py:make".into(),
            import: vec!["evil".into()],
            wrappers: vec!["evil.wrappers:Flat".into()],
            ..GymnasiumConfig::default()
        }
    }

    #[test]
    fn code_that_nobody_allowed_is_shown_and_refused() {
        let error = require(&evil()).unwrap_err().to_string();
        for said in ["import evil", "call /tmp/evil.py:make", "call evil.wrappers:Flat", "not run unless"] {
            assert!(error.contains(said), "{error}");
        }
        assert!(require(&GymnasiumConfig::new("CartPole-v1")).is_ok());
        let wrapped = GymnasiumConfig {
            wrappers: vec!["minigrid.wrappers:ImgObsWrapper".into()],
            ..GymnasiumConfig::new("MiniGrid-MemoryS7-v0")
        };
        assert!(require(&wrapped).is_ok());
        assert!(!is_given(&wrapped) && !takes_states());
        let trusted = StatesTrusted::new();
        assert!(takes_states());
        drop(trusted);
        assert!(!takes_states());
    }

    #[test]
    fn leave_for_some_code_is_leave_for_no_other() {
        let mine = |make: &str, import: &[&str], wrapper: &str| GymnasiumConfig {
            make: make.into(),
            import: import.iter().map(|module| (*module).to_string()).collect(),
            wrappers: vec![wrapper.into()],
            ..GymnasiumConfig::default()
        };
        trust_named_code(["/home/me/mine.py:make".into(), "mine_too".into()]);
        for (make, import, wrapper, allowed, given) in [
            ("/home/me/mine.py:make", &["mine_too"][..], "mine:Flat", true, true),
            ("/home/me/mine.py:make", &["evil"], "mine_too.wrappers:Flat", true, false),
            ("/home/me/mine.py:other", &["mine_too"], "mine:Flat", false, false),
            ("/home/me/mine.py:make", &["mine_too"], "mine_too_evil:Flat", false, true),
            ("/tmp/mine.py:make", &[], "mine:Flat", false, false),
        ] {
            let config = mine(make, import, wrapper);
            assert_eq!((require(&config).is_ok(), is_given(&config)), (allowed, given), "{config:?}");
        }
        assert_eq!(named_imports(&mine("", &["evil", "mine_too"], "")), ["mine_too"]);
        assert!(require(&evil()).is_err());
        // With nothing to allow there is no leave: modules in the working folder stay out of sight.
        assert!(!is_given(&GymnasiumConfig::new("CartPole-v1")));
    }

    #[test]
    fn leave_for_one_configuration_was_leave_for_all_that_the_process_read_later() {
        let wrappers = vec!["ours.parts:Flat".into()];
        let wrapped = GymnasiumConfig { wrappers, ..GymnasiumConfig::new("CartPole-v1") };
        let made = GymnasiumConfig { make: "ours:make".into(), ..GymnasiumConfig::default() };
        for config in [&wrapped, &made] {
            assert!(require(config).is_err() && !is_given(config));
            trust_code_of(config);
            assert!(require(config).is_ok() && is_given(config), "{config:?}");
        }
        assert!(require(&evil()).is_err());
    }
}
