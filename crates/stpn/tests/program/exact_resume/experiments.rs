//! Experiments of milliseconds in which as much as possible has a state: schedules, normalisers, evaluations, penalties
//! that adapt, episodes and sequences cut in the middle.

/// A configuration and the updates after which it is interrupted.
pub struct Experiment {
    pub name: &'static str,
    pub text: &'static str,
    pub stops: &'static [&'static [u64]],
}

/// Fragments of 30 steps of episodes of 50: the recurrent state must survive too.
pub const MAZE: Experiment = Experiment {
    name: "maze with A2C",
    text: "
        seed = 5
        [training]
        warmup_updates = 1
        [env]
        name = 'maze'
        size = 7
        episode_length = 50
        [rollout]
        environments = 12
        steps = 30
        [policy]
        hidden = 5
        [policy.cell]
        name = 'stpn'
        [algorithm]
        name = 'a2c'
        concentration_coefficient = 0.03
        [optimizer]
        learning_rate = { initial = 1e-2, last = 1e-3, horizon = 1500 }
        [checkpoint]
        every = 3
    ",
    stops: &[&[1], &[4], &[2, 5]],
};

/// Normalisers, an adaptive penalty, evaluations between entries of the log, minibatches, and a schedule that ends in the
/// middle.
pub const CARTPOLE: Experiment = Experiment {
    name: "CartPole with PPO",
    text: "
        seed = 5
        [env]
        name = 'cartpole'
        [rollout]
        environments = 9
        steps = 24
        sequence_length = 8
        [policy]
        hidden = 5
        [policy.cell]
        name = 'stpn'
        [algorithm]
        name = 'ppo'
        epochs = 2
        minibatch_size = 64
        value_clip = 0.2
        recompute_states = true
        clip = { initial = 0.3, last = 0.1, horizon = 1000 }
        kl_penalty = { coefficient = 0.2, target = 0.01 }
        [optimizer]
        learning_rate = { initial = 1e-2, last = 1e-3, horizon = 1000 }
        [normalization]
        observations = true
        rewards = true
        [evaluation]
        every = 2
        episodes = 3
        [checkpoint]
        every = 3
        [log]
        every = 3
    ",
    stops: &[&[1], &[4], &[2, 5]],
};

pub const ART: Experiment = Experiment {
    name: "associative retrieval",
    text: "
        seed = 5
        [task]
        name = 'art'
        training_sequences = 400
        validation_sequences = 50
        test_sequences = 50
        batch_size = 64
        [policy]
        hidden = 5
        [policy.cell]
        name = 'stpn'
        [optimizer]
        learning_rate = { initial = 1e-2, last = 1e-3, horizon = 5 }
        [checkpoint]
        every = 3
    ",
    stops: &[&[1], &[4], &[2, 5]],
};

pub const FAMILIARITY: Experiment = Experiment {
    name: "familiarity",
    text: "
        seed = 5
        [task]
        name = 'familiarity'
        steps = 120
        [policy]
        hidden = 5
        [policy.cell]
        name = 'stpn'
        [optimizer]
        learning_rate = 3e-3
        [checkpoint]
        every = 3
    ",
    stops: &[&[1], &[4], &[2, 5]],
};

/// The physics' state, its warm start included; continuous actions.
#[cfg(feature = "mujoco")]
pub const INVERTED_PENDULUM: Experiment = Experiment {
    name: "InvertedPendulum with PPO",
    text: "
        seed = 5
        [env]
        name = 'inverted-pendulum'
        [rollout]
        environments = 3
        steps = 40
        sequence_length = 10
        [policy]
        hidden = 5
        [policy.cell]
        name = 'stpn'
        [algorithm]
        name = 'ppo'
        epochs = 2
        minibatch_size = 30
        [normalization]
        observations = true
        rewards = true
        [optimizer]
        learning_rate = 3e-3
        [checkpoint]
        every = 3
    ",
    stops: &[&[1], &[4], &[2, 5]],
};

/// The emulator's state.
#[cfg(feature = "atari")]
pub const PONG: Experiment = Experiment {
    name: "Pong with A2C",
    text: "
        seed = 5
        [env]
        name = 'atari'
        game = 'pong'
        [rollout]
        environments = 2
        steps = 10
        [policy]
        hidden = 5
        [policy.cell]
        name = 'stpn'
        [algorithm]
        name = 'a2c'
        [optimizer]
        learning_rate = 3e-3
        [checkpoint]
        every = 3
    ",
    stops: &[&[1], &[3], &[2, 5]],
};

/// The emulator's state behind the standard wrappers, a stack of frames among them.
#[cfg(feature = "atari")]
pub const PONG_STACKED: Experiment = Experiment {
    name: "Pong with PPO and stacked frames",
    text: "
        seed = 6
        [env]
        name = 'atari'
        game = 'pong'
        preprocessing = 'deepmind'
        frame_stack = 4
        [rollout]
        environments = 2
        steps = 8
        sequence_length = 4
        [policy]
        hidden = 5
        [policy.cell]
        name = 'stpn'
        [algorithm]
        name = 'ppo'
        epochs = 2
        minibatch_size = 8
        [optimizer]
        learning_rate = 3e-3
        [checkpoint]
        every = 3
    ",
    stops: &[&[1], &[3], &[2, 5]],
};
