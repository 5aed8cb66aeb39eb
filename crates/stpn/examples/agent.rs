//! Train an agent, measure it, save it, load it, and let it act: `cargo run --release -p stpn --example agent`

use std::ops::ControlFlow;
use std::path::Path;

use stpn::envs::{Env, ObservationMut};
use stpn::{Agent, EvaluationOptions, ObservationRef, Result, Run};

fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("stpn-example-{}", std::process::id()));
    let result = train_and_play(&folder);
    // Best effort: it lies among the system's temporary files.
    let _ = std::fs::remove_dir_all(folder);
    result
}

fn train_and_play(folder: &Path) -> Result<()> {
    // Every setting of a preset can be changed, or all of them read from TOML by `RunConfig::from_table`.
    let mut config = stpn::preset("cartpole")?;
    config.training_mut().updates = 20;
    *config.hidden_mut() = 32;

    // A run writes checkpoints, metrics and TensorBoard events. The closure is called after each update and may end it.
    let directory = folder.join("run");
    let mut run = Run::start(&config, &directory, "the example")?;
    run.train(|training, _metrics| {
        println!("update {:>2}: return {:?}", training.progress().update, training.progress().recent_return());
        ControlFlow::Continue(())
    })?;

    let agent = Agent::load(&directory)?;
    let evaluation = agent.evaluate(&EvaluationOptions { deterministic: true, ..EvaluationOptions::new(20) })?;
    println!("{agent:?}: mean return {:.1} in 20 fresh episodes", evaluation.mean_return());

    // What it takes to use the agent elsewhere, without what only training needs.
    agent.save(folder.join("agent"))?;
    let agent = Agent::load(folder.join("agent"))?;

    // Memory is the caller's: one for each episode under way, or for many at once.
    let mut env = agent.config().env.make()?;
    let mut observation = vec![0.0; env.observation_space().len()];
    let mut memory = agent.memory(1, 0);
    env.reset(Some(7), ObservationMut::F32(&mut observation))?;
    let mut steps = 0;
    loop {
        let action = agent.act(ObservationRef::F32(&observation), &mut memory, true)?;
        steps += 1;
        if env.step(action, ObservationMut::F32(&mut observation))?.done() {
            break;
        }
    }
    println!("the pole stood for {steps} steps");
    Ok(())
}
