//! What a run's task is called where several are told apart: `popgym count-recall hard`, `atari breakout`.

use stpn_agents::RunConfig;
use toml::{Table, Value};

/// The keys of an environment that say which one of many it is.
const WHICH: [&str; 5] = ["task", "game", "id", "make", "level"];

/// The name of an environment or a supervised task, with what tells it from others of that name.
pub fn task_label(config: &RunConfig) -> String {
    let name = config.experiment();
    let environment = config.agent().ok().and_then(|config| Table::try_from(&config.env).ok()).unwrap_or_default();
    let which = WHICH.iter().filter_map(|key| environment.get(*key).and_then(Value::as_str));
    // One of a program's own is named by its `id` already.
    let parts = std::iter::once(name).chain(which.filter(|part| *part != name));
    // A table of values between commas holds it.
    parts.collect::<Vec<_>>().join(" ").replace([',', '\n'], ";")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrainingRequest;

    #[test]
    fn every_task_of_popgym_was_called_popgym() {
        let label = |experiment: &str, environment: Option<&str>, level: Option<&str>| {
            let [environment, level] = [environment, level].map(|text| text.map(String::from));
            let request =
                TrainingRequest { experiment: experiment.into(), environment, level, ..TrainingRequest::default() };
            task_label(&request.configure(1).unwrap())
        };
        assert_eq!(label("popgym", Some("count-recall"), Some("hard")), "popgym count-recall hard");
        assert_eq!(label("maze", None, None), "maze");
        assert_eq!(label("art", None, None), "art");
    }
}
