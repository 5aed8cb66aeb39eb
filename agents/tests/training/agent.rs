//! Agents as a program uses them.

use stpn_agents::config::AgentConfig;
use stpn_agents::episode::live;
use stpn_agents::evaluation::EvaluationOptions;
use stpn_agents::policy::encoder::ObservationRef;
use stpn_agents::{Agent, Error};
use stpn_envs::{Action, Env, ObservationMut};

fn config(env: &str, cell: &str) -> AgentConfig {
    let text = format!(
        "
        env.name = '{env}'
        rollout = {{ environments = 2, steps = 4 }}
        policy = {{ hidden = 5, cell.name = '{cell}' }}
        algorithm.name = 'a2c'
        "
    );
    toml::from_str(&text).unwrap()
}

/// An action as plain numbers.
fn numbers(action: Action<'_>) -> Vec<f32> {
    match action {
        Action::Discrete(choice) => vec![choice as f32],
        Action::Choices(choices) => choices.iter().map(|&choice| choice as f32).collect(),
        Action::Continuous(values) => values.to_vec(),
    }
}

#[test]
fn an_agent_acts_as_in_a_recorded_episode() {
    for (env, cell, deterministic) in
        [("cartpole", "stpn", false), ("pendulum", "lstm", false), ("cartpole", "mlp", true)]
    {
        let agent = Agent::new(&config(env, cell)).unwrap();
        let mut recorded = Vec::new();
        let mut world = agent.config().env.make().unwrap();
        let episode = live(&mut world, &agent.subject(), 3, deterministic, |moment| {
            recorded.push((numbers(moment.action), moment.reward, moment.state.to_vec()));
            Ok(())
        })
        .unwrap();

        let (mut memory, mut observation) = (agent.memory(1, 3), vec![0.0; world.observation_space().len()]);
        world.reset(Some(3), ObservationMut::F32(&mut observation)).unwrap();
        for (action, reward, state) in &recorded {
            let chosen = agent.act(ObservationRef::F32(&observation), &mut memory, deterministic).unwrap();
            assert_eq!(numbers(chosen), *action, "{env} {cell}");
            let step = world.step(chosen, ObservationMut::F32(&mut observation)).unwrap();
            assert_eq!(step.reward, *reward);
            assert_eq!(memory.state(), &state[..]);
        }
        assert_eq!(recorded.len() as u64, episode.length);
    }
}

#[test]
fn episodes_side_by_side_are_those_one_by_one() {
    let agent = Agent::new(&config("pendulum", "stpn")).unwrap();
    let mut together = agent.memory(2, 1);
    let mut alone = [agent.memory(1, 1), agent.memory(1, 1)];
    for step in 0..6 {
        let observations = [0.1, 0.2, step as f32, -0.3, 0.4, 0.5];
        if step == 3 {
            // The second episode ended.
            together.start(1);
            alone[1].start(0);
        }
        agent.act(ObservationRef::F32(&observations), &mut together, true).unwrap();
        for (i, (memory, observation)) in alone.iter_mut().zip(observations.chunks(3)).enumerate() {
            let action = numbers(agent.act(ObservationRef::F32(observation), memory, true).unwrap());
            assert_eq!(action, numbers(together.action(i)), "step {step}");
        }
    }
}

#[test]
fn a_saved_agent_is_the_same_agent() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(&config("cartpole", "stpn")).unwrap();
    let options = EvaluationOptions::new(3);
    let before = agent.evaluate(&options).unwrap();
    let path = agent.save(folder.path().join("agent")).unwrap();
    for place in [folder.path().join("agent"), path] {
        let loaded = Agent::load(place).unwrap();
        assert_eq!(loaded.config(), agent.config());
        assert_eq!(loaded.evaluate(&options).unwrap(), before);
    }
    let again = agent.save(folder.path().join("agent")).unwrap_err();
    assert!(matches!(again, Error::RunDirectory { .. }), "{again}");
}

#[test]
fn observations_that_do_not_fit_are_refused() {
    let agent = Agent::new(&config("cartpole", "stpn")).unwrap();
    let mut memory = agent.memory(2, 0);
    for wrong in [ObservationRef::F32(&[0.0; 4]), ObservationRef::U8(&[0; 8])] {
        let error = agent.act(wrong, &mut memory, true).unwrap_err().to_string();
        assert!(error.contains("for 2 episodes of"), "{error}");
    }
    let error = agent.step(ObservationRef::F32(&[0.0; 8]), &mut [0.0; 3], &[1, 1]).err().unwrap().to_string();
    assert!(error.contains("state: 3 numbers given for 2 episodes of"), "{error}");
}
