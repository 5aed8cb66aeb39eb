//! Losses of A2C and PPO on the device, of every distribution and with either critic.

use stpn_agents::{Metrics, Trainer};
use stpn_envs::Space;

use crate::echo::Echo;
use crate::{agent_config, distance, emulated};

/// Every kind of action, with the options of its distribution.
fn policies() -> Vec<(Space, &'static str)> {
    let boxed = Space::boxed(-2.0, 1.5, [2]);
    vec![
        (Space::discrete(4), ""),
        (Space::MultiDiscrete { counts: vec![2, 3] }, ""),
        (Space::MultiBinary { n: 3 }, ""),
        (boxed.clone(), ", gaussian = { initial_std = 0.6 }"),
        (boxed.clone(), ", gaussian = { squash = true }"),
        (boxed.clone(), ", gaussian = { std = 'state-independent', initial_std = 0.6 }"),
        (boxed, ", gaussian = { std = 'state-independent', squash = true }"),
    ]
}

/// What updates of an agent in an environment with these actions left: metrics of the last one, parameters, and the
/// mean gradient of Adam.
fn updated(space: &Space, text: &str, updates: usize) -> (Metrics, Vec<f32>, Vec<f32>) {
    let space = space.clone();
    let mut trainer = Trainer::with_environments(&agent_config(text), move |_| Echo::boxed(&space)).unwrap();
    let metrics: Vec<Metrics> = (0..updates).map(|_| trainer.update().unwrap()).collect();
    let saved = trainer.save().unwrap();
    (metrics.last().unwrap().clone(), saved.parameters, saved.adam.first_moment)
}

/// Updates on the CPU and on the device. Returns the metrics of the former.
pub fn compare(space: &Space, policy: &str, algorithm: &str, names: &[&str]) -> Metrics {
    let env = if matches!(space, Space::Box { .. }) { "pendulum" } else { "cartpole" };
    let on = |device: &str| {
        // Sequences of 5, 5 and 2 steps, in one minibatch: they are padded. With so large an epsilon, small gradients
        // make small steps, whatever their rounding.
        let text = format!(
            "training.device = '{device}'\nenv = '{env}'\nalgorithm = {algorithm}
             rollout = {{ environments = 5, steps = 12, sequence_length = 5 }}
             optimizer = {{ epsilon = 0.1, learning_rate = 0.1, max_grad_norm = 5.0 }}
             policy = {{ hidden = 5, cell = 'rnn'{policy} }}"
        );
        updated(space, &text, 1)
    };
    let ((here, parameters_here, gradient_here), (there, parameters_there, gradient_there)) = (on("cpu"), on("cuda"));
    for name in names {
        let [here, there] = [&here, &there].map(|metrics| metrics.get(name).unwrap());
        assert!((here - there).abs() < 1e-4 * here.abs().max(1.0), "{space} {policy} {name}: {there} for {here}");
    }
    let apart = [distance(&gradient_there, &gradient_here), distance(&parameters_there, &parameters_here)];
    assert!(apart.iter().all(|apart| *apart < 2e-4), "{space} {policy} {algorithm}: {apart:?}");
    assert!(gradient_here.iter().filter(|value| **value != 0.0).count() > gradient_here.len() / 2);
    assert_eq!(on("cuda").1, parameters_there, "the same bits every time");
    here
}

#[test]
fn a2c_learns_from_every_distribution_as_on_the_cpu() {
    if !emulated("losses::a2c_learns_from_every_distribution_as_on_the_cpu") {
        return;
    }
    let names = ["losses/total_loss", "losses/value_loss", "losses/policy_loss", "losses/entropy", "losses/grad_norm"];
    for (space, options) in policies() {
        for critic in ["shared", "separate"] {
            let discrete = !matches!(space, Space::Box { .. });
            let concentration = if discrete { ", concentration_coefficient = 0.03" } else { "" };
            let algorithm =
                format!("{{ name = 'a2c', normalize_advantages = true, entropy_coefficient = 0.02{concentration} }}");
            let more: &[&str] = if discrete { &["losses/concentration"] } else { &[] };
            compare(&space, &format!(", critic = '{critic}'{options}"), &algorithm, &[&names[..], more].concat());
        }
    }
}

#[test]
fn ppo_learns_from_every_distribution_as_on_the_cpu() {
    if !emulated("losses::ppo_learns_from_every_distribution_as_on_the_cpu") {
        return;
    }
    let names = [
        "losses/total_loss",
        "losses/value_loss",
        "losses/policy_loss",
        "losses/entropy",
        "losses/kl",
        "losses/old_approx_kl",
        "losses/approx_kl",
        "losses/clipfrac",
        "losses/grad_norm",
    ];
    // The second epoch meets a policy that has moved.
    let algorithms = [
        "{ name = 'ppo', epochs = 2, minibatch_size = 60, clip = 0.05, value_clip = 0.1, value_error_clamp = 0.4,
           entropy_coefficient = 0.02, kl_penalty = { coefficient = 0.3 } }",
        "{ name = 'ppo', epochs = 2, minibatch_size = 30, clip = 0.1, entropy_coefficient = 0.0 }",
    ];
    for (space, options) in policies() {
        for (critic, algorithm) in ["shared", "separate"].into_iter().flat_map(|c| algorithms.map(|a| (c, a))) {
            let names: Vec<&str> =
                names.into_iter().filter(|name| algorithm.contains("kl_penalty") || *name != "losses/kl").collect();
            let metrics = compare(&space, &format!(", critic = '{critic}'{options}"), algorithm, &names);
            let clipped = metrics.get("losses/clipfrac").unwrap();
            assert!(clipped > 0.0 && clipped < 1.0, "{space}{options}: {clipped} of the ratios are clipped");
        }
    }
}

#[test]
fn a_gaussian_task_is_learned_on_the_device_as_on_the_cpu() {
    if !emulated("losses::a_gaussian_task_is_learned_on_the_device_as_on_the_cpu") {
        return;
    }
    let space = Space::boxed(-2.0, 1.5, [2]);
    for (critic, std) in [("separate", "state-independent"), ("shared", "softplus")] {
        let learned = |device: &str, updates: usize| {
            let text = format!(
                "training.device = '{device}'\nenv = 'pendulum'
                 algorithm = {{ name = 'ppo', epochs = 4, minibatch_size = 64, normalize_advantages = 'minibatch' }}
                 rollout = {{ environments = 8, steps = 16, sequence_length = 8 }}
                 optimizer = {{ learning_rate = 0.01 }}
                 policy = {{ hidden = 8, critic = '{critic}', gaussian = {{ std = '{std}' }}, cell = 'mlp' }}"
            );
            updated(&space, &text, updates)
        };
        let (updates, name) = (30, "charts/episodic_return");
        let ((here, parameters_here, _), (there, parameters_there, _)) =
            (learned("cpu", updates), learned("cuda", updates));
        let begun = learned("cpu", 1).0.get(name).unwrap();
        let [here, there] = [&here, &there].map(|metrics| metrics.get(name).unwrap());
        assert!(here > begun + 2.0, "{critic} {std}: it learns: {here} after {begun}");
        assert!((there - here).abs() < 0.02 * here.abs(), "{critic} {std}: {there} for {here}");
        let apart = distance(&parameters_there, &parameters_here);
        assert!(apart < 0.02, "{critic} {std}: {apart:e}");
    }
}
