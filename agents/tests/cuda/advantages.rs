//! Advantages that the device estimates.

use stpn_agents::Trainer;
use stpn_agents::advantage::estimator::Estimator;
use stpn_agents::advantage::{Advantages, generalized_advantages};
use stpn_agents::collective::Local;
use stpn_agents::rollout::{Estimates, Fragment, Worker};
use stpn_envs::Space;

use crate::losses::compare;
use crate::{agent_config, emulated};

#[test]
fn advantages_on_the_device_have_the_bits_of_the_cpu() {
    if !emulated("advantages::advantages_on_the_device_have_the_bits_of_the_cpu") {
        return;
    }
    // Episodes of the pendulum are cut off, those of the other tasks end by themselves.
    for (env, steps, length) in [("pendulum", 210, 13), ("cartpole", 40, 40), ("cartpole", 41, 10), ("memory", 30, 7)] {
        let text = format!(
            "training = {{ device = 'cuda', warmup_updates = 9 }}\nenv = '{env}'\nalgorithm = {{ name = 'ppo' }}
             rollout = {{ environments = 10, steps = {steps}, sequence_length = {length} }}
             policy = {{ hidden = 4, cell = 'rnn' }}"
        );
        let mut trainer = Trainer::new(&agent_config(&text)).unwrap();
        (0..2).for_each(|_| assert!(trainer.update().is_ok()));
        let fragments: Vec<&Fragment> = trainer.workers().iter().map(Worker::fragment).collect();
        assert!(fragments.len() > 1, "several workers");
        let estimates: Vec<&Estimates> = fragments.iter().map(|fragment| &fragment.estimates).collect();
        let (normalization, discounts) = (&trainer.progress().normalization, (0.97, 0.9));
        let estimator = Estimator { normalization, clip_rewards: false, discounts };
        let policy = trainer.learner().policy();
        let there = estimator.estimate((policy, &Local), &fragments, &estimates, None).unwrap();
        let here = fragments.iter().map(|fragment| {
            assert_eq!(fragment.truncated.contains(&true), env == "pendulum");
            let rewards = normalization.rewards(&fragment.rewards);
            generalized_advantages(fragment, &fragment.estimates, &rewards, discounts)
        });
        assert!(there.here == here.collect::<Vec<Advantages>>(), "{env} {length}");
        assert!(there.there.is_some());
    }
}

#[test]
fn ppo_estimates_advantages_again_on_the_device() {
    if !emulated("advantages::ppo_estimates_advantages_again_on_the_device") {
        return;
    }
    let names = [
        "losses/total_loss",
        "losses/value_loss",
        "losses/policy_loss",
        "losses/approx_kl",
        "losses/explained_variance",
        "losses/grad_norm",
    ];
    // The states change too, or the rollout that is on the device stays as it is.
    for (space, options) in [
        (Space::discrete(4), "recompute_advantages = true, normalize_advantages = 'batch', minibatch_size = 30"),
        (Space::boxed(-2.0, 1.5, [2]), "recompute_advantages = true, recompute_states = true, minibatch_size = 20"),
        (Space::discrete(3), "recompute_states = true, normalize_advantages = 'none', minibatch_size = 20"),
    ] {
        compare(&space, "", &format!("{{ name = 'ppo', epochs = 3, {options} }}"), &names);
    }
}
