//! The examples with a cell and with an environment of one's own, as one program: this test is it, and runs itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;
#[allow(dead_code, reason = "its `main` is that of a program")]
#[path = "../examples/own_cell.rs"]
mod own_cell;
#[allow(dead_code, reason = "its `main` is that of a program")]
#[path = "../examples/own_environment.rs"]
mod own_environment;

use std::path::Path;
use std::process::{Command, ExitCode};

use binary::{Finished, finished, metrics};
use candle_core::{Tensor, Var};
use stpn::cells::{Cell, CellParts, Initializer, Result, State, Step};
use stpn::cli::{Host, main_in};
use stpn::envs::RulesEnv;

/// What this test is called with to be the program; the program's arguments follow.
const PROGRAM: &str = "--program";

/// What is tested, by its name. The usual harness would print between the lines of the program.
const TESTS: [(&str, fn()); 5] = [
    ("an_environment_of_ones_own_has_the_whole_command_line", an_environment_of_ones_own_has_the_whole_command_line),
    ("a_cell_of_ones_own_has_the_whole_command_line", a_cell_of_ones_own_has_the_whole_command_line),
    (
        "what_a_cell_of_ones_own_calls_lambda_and_f_was_drawn_as_an_stpns",
        what_a_cell_of_ones_own_calls_lambda_and_f_was_drawn_as_an_stpns,
    ),
    (
        "keys_of_a_cell_of_ones_own_are_refused_with_the_nearest_one",
        keys_of_a_cell_of_ones_own_are_refused_with_the_nearest_one,
    ),
    ("a_program_without_the_cell_names_it_and_the_remedy", a_program_without_the_cell_names_it_and_the_remedy),
];

/// The command line itself, if this process was started for it; else the tests, or those named like its argument.
fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == PROGRAM) {
        let executable = std::env::current_exe().unwrap().into();
        let arguments = std::iter::once("own".into()).chain(words.into_iter().skip(1)).collect();
        let host = Host { arguments, executable, before: vec![PROGRAM.into()] };
        return main_in(host, |registry| {
            registry.register("echo", |echo: own_environment::Echo| Ok(RulesEnv::new(echo)))?;
            registry.preset("echo", "name the symbol shown one step ago", own_environment::PRESET)?;
            registry.cell("leaky", "units that leak", own_cell::Leaky::new)?;
            registry.cell("odd", "one that calls other things by the names of an STPN's", Odd::new)
        });
    }
    let wanted = words.iter().filter_map(|word| word.to_str()).find(|word| !word.starts_with('-')).unwrap_or("");
    for (name, test) in TESTS.iter().filter(|(name, _)| name.contains(wanted)) {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// `h = tanh(λ x) + γ`, with λ `[H, I]` and γ `[H]`; what it was is F `[H]`.
#[derive(Debug)]
struct Odd {
    parts: CellParts,
    lambda: Var,
    gamma: Var,
}

#[derive(serde::Deserialize)]
struct NoOptions {}

impl Odd {
    fn new(_: &NoOptions, mut parts: CellParts, init: &mut Initializer) -> Result<Self> {
        let (inputs, units) = (parts.input, parts.hidden);
        let lambda = parts.parameters.add("lambda", &init.uniform((units, inputs), -1.0, 1.0)?)?;
        let gamma = parts.parameters.add("gamma", &init.constant(units, 0.0)?)?;
        parts.add_state("F", [units]);
        Ok(Self { parts, lambda, gamma })
    }
}

impl Cell for Odd {
    fn parts(&self) -> &CellParts {
        &self.parts
    }

    fn step(&self, x: &Tensor, state: &State) -> Result<Step> {
        let hidden = x.matmul(&self.lambda.t()?)?.tanh()?.broadcast_add(&self.gamma)?;
        Ok(Step { state: State::new(state.batch(), vec![("F", hidden.clone())]), hidden })
    }

    fn energy_per_unit(&self, x: &Tensor, _: &State, _: Option<&Tensor>) -> Result<Tensor> {
        Ok(x.sqr()?.matmul(&self.lambda.abs()?.t()?)?)
    }
}

/// Runs the program with the words of `line`, in which `RUN` is a directory.
fn own(line: &str, run: &Path) -> Finished {
    let line = line.replace("RUN", &run.display().to_string());
    finished(Command::new(std::env::current_exe().unwrap()).arg(PROGRAM).args(line.split(' ')))
}

fn fine(line: &str, run: &Path) -> String {
    let Finished { status, output, error } = own(line, run);
    assert!(status.success(), "{line}: {output}{error}");
    output
}

fn an_environment_of_ones_own_has_the_whole_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (run, whole) = (folder.path().join("run"), folder.path().join("whole"));
    let train = "train echo --cell lstm --hidden 4 --set env.options.steps=8 --run-dir RUN --updates";
    fine(&format!("{train} 6"), &whole);
    fine(&format!("{train} 3"), &run);
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("id = \"echo\"") && config.contains("steps = 8"), "{config}");
    fine("resume RUN --updates 6", &run);
    assert_eq!(metrics(&run), metrics(&whole), "what was resumed is what was not interrupted");

    let text = fine("eval RUN --episodes 20 --json", &run);
    let mean = serde_json::from_str::<serde_json::Value>(&text).unwrap()["mean_return"].as_f64().unwrap();
    assert!((0.0..=8.0).contains(&mean), "{text}");
    let played = fine("play RUN --delay 0", &run);
    assert!(played.contains("in 8 steps"), "{played}");
    fine("report RUN --out RUN/report.html", &run);
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains("echo"));
    let checked = fine("check-env echo", &run);
    assert!(checked.contains("echo"), "{checked}");
    let Finished { status, error, .. } = own("train echo --set env.options.step=8 --run-dir RUN/none", &run);
    assert!(!status.success() && error.contains("step"), "{error}");
}

const TRAIN: &str = "train memory --cell leaky --hidden 4 --set policy.cell.options.keep=0.5 --set algorithm.minibatch_size=96 --set rollout.environments=4 --set \
                     evaluation.every=0 --run-dir RUN --updates";

fn a_cell_of_ones_own_has_the_whole_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (run, whole) = (folder.path().join("run"), folder.path().join("whole"));
    fine(&format!("{TRAIN} 4"), &whole);
    fine(&format!("{TRAIN} 2"), &run);
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("id = \"leaky\"") && config.contains("keep = 0.5"), "{config}");
    fine("resume RUN --updates 4", &run);
    assert_eq!(metrics(&run), metrics(&whole), "what was resumed is what was not interrupted");

    let energy = |run: &Path| {
        let text = fine("eval RUN --episodes 2 --json", run);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["energy_per_unit_step"].as_f64().unwrap()
    };
    let before = energy(&run);
    assert!(before > 0.0);
    fine("play RUN --delay 0", &run);
    fine("report RUN --out RUN/report.html", &run);
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains("leaky"));
    fine("export RUN RUN/agent", &run);
    assert_eq!(energy(&run.join("agent")), before);

    let compared = fine(
        "compare memory --cells leaky,mlp --seeds 1 --jobs 1 --threads 1 --updates 1 --set algorithm.minibatch_size=96 --set rollout.environments=4 --episodes 2 \
         --out RUN/compared",
        &run,
    );
    assert!(compared.contains("leaky") && run.join("compared/leaky-seed1/config.toml").exists(), "{compared}");
    let list = fine("list", &run);
    assert!(list.contains("units that leak"), "{list}");
    fine("explain policy.cell.options", &run);
    let shown = fine("config memory --set policy.cell=leaky", &run);
    assert!(shown.contains("id = \"leaky\""), "{shown}");
    fine("train art --cell leaky --updates 1 --set task.training_sequences=600 --run-dir RUN/art", &run);
}

fn what_a_cell_of_ones_own_calls_lambda_and_f_was_drawn_as_an_stpns() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fine(
        "train memory --cell odd --hidden 4 --set algorithm.minibatch_size=96 --set rollout.environments=4 --run-dir RUN --updates 1",
        &run,
    );
    fine("report RUN --out RUN/report.html", &run);
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("learning-curves") && !page.contains("Learned decay") && !page.contains("Fast weights"));
    fine("play RUN --delay 0", &run);
}

fn keys_of_a_cell_of_ones_own_are_refused_with_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |line: &str| {
        let Finished { status, error, .. } = own(line, folder.path());
        assert!(!status.success(), "{line}");
        error
    };
    let error = refused("config memory --set policy.cell=leaky --set policy.cell.options.kep=0.5");
    assert!(error.contains("policy.cell.options.kep") && error.contains("did you mean `keep`"), "{error}");
    let error = refused("config memory --set policy.cell=leaky --set policy.cell.options.keep=true");
    assert!(error.contains("policy.cell.options") && error.contains("boolean"), "{error}");
    let error = refused("train memory --cell leaky --set policy.cell.options.keep=7 --run-dir RUN/run");
    assert!(error.contains("options.keep") && error.contains("from 0 to 1"), "{error}");
    let error = refused("train memory --cell leeky --run-dir RUN/none");
    assert!(error.contains("did you mean `leaky`"), "{error}");
}

fn a_program_without_the_cell_names_it_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fine(&format!("{TRAIN} 1"), &run);
    for command in ["eval", "resume", "play"] {
        let Finished { status, error, .. } = binary::stpn(&[command.into(), run.display().to_string()]);
        assert!(!status.success() && !error.contains("panicked"), "{command}: {error}");
        assert!(error.contains("`leaky`") && error.contains("registers it"), "{command}: {error}");
    }
}
