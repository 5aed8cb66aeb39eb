//! Whose code is run: that of installed packages of environments, and any other only where the user says so.
//!
//! A configuration may come with a stranger's checkpoint. Without leave only Gymnasium's registry is asked, and of
//! `import` only packages that are installed and require Gymnasium.

use std::sync::atomic::{AtomicBool, Ordering};

use super::GymnasiumConfig;
use crate::{Error, Result};

/// Whether the user has given leave, for this whole process.
static GIVEN: AtomicBool = AtomicBool::new(false);

/// Lets this process run the code that configurations name: files, modules and wrappers of `env.make`, `env.import` and
/// `env.wrappers`. For configurations that the user wrote or named as trusted.
pub fn trust_environment_code() {
    GIVEN.store(true, Ordering::Relaxed);
}

/// Whether leave was given.
pub fn is_given() -> bool {
    GIVEN.load(Ordering::Relaxed)
}

/// Refuses settings that name code which nobody allowed.
pub(super) fn require(config: &GymnasiumConfig) -> Result<()> {
    if is_given() || (config.make.is_empty() && config.wrappers.iter().all(|name| is_known(name))) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_nobody_allowed_is_shown_and_refused() {
        let config = GymnasiumConfig {
            make: "/tmp/evil.py:make".into(),
            import: vec!["evil".into()],
            wrappers: vec!["evil.wrappers:Flat".into()],
            ..GymnasiumConfig::default()
        };
        let error = require(&config).unwrap_err().to_string();
        for said in ["import evil", "call /tmp/evil.py:make", "call evil.wrappers:Flat", "not run unless"] {
            assert!(error.contains(said), "{error}");
        }
        assert!(require(&GymnasiumConfig::new("CartPole-v1")).is_ok());
        let wrapped = GymnasiumConfig {
            wrappers: vec!["minigrid.wrappers:ImgObsWrapper".into()],
            ..GymnasiumConfig::new("MiniGrid-MemoryS7-v0")
        };
        assert!(require(&wrapped).is_ok());
    }
}
