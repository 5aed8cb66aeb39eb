//! Every environment keeps the rules, and every rule catches an environment that does not.

mod flawed;

use std::collections::BTreeSet;

use flawed::{Flaw, Flawed};
use stpn_envs::check_env::{CheckOptions, check_env, check_env_with};
use stpn_envs::classic::MemoryConfig;
use stpn_envs::maze::MazeConfig;
use stpn_envs::popgym::{Level, PopgymConfig, Task};
use stpn_envs::registry::ENVIRONMENTS;
use stpn_envs::wrappers::{FrameStack, Mask, PreviousAction, RecordEpisodeStatistics, RewardClip, TimeLimit};
use stpn_envs::{Env, EnvConfig, Error, Result};

#[test]
fn every_registered_environment_passes() {
    for entry in ENVIRONMENTS {
        let config = (entry.default)();
        let report = check_env(|| config.make()).unwrap();
        assert_eq!(report.environment, entry.name);
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn every_wrapper_passes() {
    let maze = || EnvConfig::Maze(MazeConfig { episode_length: 30, wall_penalty: 0.5, ..MazeConfig::default() }).make();
    type Make = Box<dyn Fn() -> Result<Box<dyn Env>> + Sync>;
    let wrapped: [(&str, Make); 6] = [
        ("time limit", Box::new(move || Ok(Box::new(TimeLimit::new(maze()?, 7)?)))),
        ("statistics", Box::new(move || Ok(Box::new(RecordEpisodeStatistics::new(maze()?))))),
        ("reward clip", Box::new(move || Ok(Box::new(RewardClip::sign(maze()?))))),
        ("frame stack", Box::new(move || Ok(Box::new(FrameStack::new(maze()?, 3)?)))),
        ("mask", Box::new(move || Ok(Box::new(Mask::new(maze()?, "masked", [3, 11])?)))),
        (
            "all of them",
            Box::new(move || {
                let inner = RecordEpisodeStatistics::new(TimeLimit::new(maze()?, 9)?);
                Ok(Box::new(FrameStack::new(RewardClip::range(inner, -0.1, 1.0)?, 4)?))
            }),
        ),
    ];
    for (name, make) in wrapped {
        let report = check_env(make).unwrap();
        assert!(report.passed(), "{name}: {report}");
    }
}

#[test]
fn environments_that_show_the_action_before_pass() {
    let memory = || -> Result<Box<dyn Env>> { Ok(Box::new(PreviousAction::new(MemoryConfig::default().make()?)?)) };
    assert_eq!(memory().unwrap().echoes_actions(), Some(7..11));
    let report = check_env(memory).unwrap();
    assert!(report.passed(), "{report}");
    for task in Task::ALL {
        let make = || PopgymConfig::published(task, Level::Easy).make();
        let ignores = PopgymConfig { task, ..PopgymConfig::default() }.make().unwrap().ignores_actions();
        assert_eq!(make().unwrap().echoes_actions().is_some(), ignores, "{task:?}");
        let report = check_env(make).unwrap();
        assert!(report.passed(), "{task:?}: {report}");
    }
}

#[test]
fn an_environment_of_pixels_passes() {
    let make = || -> Result<Box<dyn Env>> { Ok(Box::new(FrameStack::new(Flawed::pixels(), 2)?)) };
    let report = check_env(make).unwrap();
    assert!(report.passed(), "{report}");
}

#[test]
fn every_rule_catches_an_environment_that_breaks_it() {
    let check = |flaw| {
        let options = CheckOptions { steps: 500, ..CheckOptions::default() };
        check_env_with(move || Ok(Box::new(Flawed::new(flaw)) as Box<dyn Env>), options).unwrap()
    };
    let sound = check(Flaw::None);
    assert!(sound.passed(), "{sound}");
    let mut caught = BTreeSet::new();
    for &(flaw, rule, said) in flawed::FLAWS {
        let report = check(flaw);
        let problem = report.failures().find(|check| check.name == rule).and_then(|check| check.problem.as_deref());
        let problem = problem.unwrap_or_else(|| panic!("{flaw:?} not caught by {rule}: {report}"));
        assert!(problem.contains(said), "{flaw:?}: {problem}");
        assert!(report.to_string().contains("FAILED"), "{report}");
        caught.insert(rule);
    }
    assert_eq!(caught, sound.checks.iter().map(|check| check.name).collect(), "rules that nothing here breaks");
}

#[test]
fn an_environment_that_cannot_be_made_is_an_error() {
    let make = || -> Result<Box<dyn Env>> {
        Err(Error::Simulator { environment: "nothing".into(), problem: "is there".into() })
    };
    assert_eq!(check_env(make).unwrap_err().to_string(), "nothing: is there");
}
