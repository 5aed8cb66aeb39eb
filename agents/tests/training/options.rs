//! Every key of every section acts or is refused: a walk over all of them.

use stpn_agents::metrics::depends_on_the_clock;
use stpn_agents::start::training;
use stpn_agents::{RunConfig, keys};
use stpn_core::cells::CellName;
use stpn_envs::Space;
use stpn_envs::registry::{ENVIRONMENTS, Entry};
use toml::{Table, Value};

/// Experiments of milliseconds that between them have every section.
const EXPERIMENTS: [(&str, &str); 5] = [
    (
        "A2C",
        "env = { name = 'maze', size = 5, episode_length = 25 }
         rollout = { environments = 4, steps = 30 }
         policy = { hidden = 5, cell = { name = 'stpn' } }
         algorithm = { name = 'a2c', entropy_coefficient = 0.01 }",
    ),
    (
        "PPO with choices",
        "env = { name = 'cartpole' }
         rollout = { environments = 3, steps = 12, sequence_length = 4 }
         policy = { hidden = 5, cell = { name = 'stpn' } }
         algorithm = { name = 'ppo', epochs = 2, minibatch_size = 12, recompute_states = true }
         optimizer = { learning_rate = 1e-2 }
         normalization = { observations = true, rewards = true }
         evaluation = { every = 1, episodes = 2 }",
    ),
    (
        "PPO with numbers",
        "env = { name = 'pendulum' }
         rollout = { environments = 3, steps = 12, sequence_length = 4, noise_correlation = 0.5 }
         policy = { hidden = 5, critic = 'separate', encoder = { name = 'mlp', sizes = [4] }, cell = { name = 'lstm' } }
         algorithm = { name = 'ppo', epochs = 2, minibatch_size = 12, recompute_advantages = true }
         optimizer = { learning_rate = 1e-2 }",
    ),
    (
        "associative retrieval",
        "task = { name = 'art', training_sequences = 60, validation_sequences = 20, batch_size = 20 }
         policy = { hidden = 5, cell = { name = 'stpn' } }",
    ),
    (
        "familiarity",
        "task = { name = 'familiarity', dimension = 6, steps = 60, validate_every = 1, test_intervals = [2] }
         policy = { hidden = 5, cell = { name = 'backpropamine' } }",
    ),
];

/// Keys that leave the updates of a sound, undisturbed run as they are, since they are about something else.
const ABOUT_SOMETHING_ELSE: [&str; 18] = [
    "training.updates",
    "training.threads",
    "rollout.env_failure",
    "rollout.step_timeout",
    // Sums over several processes.
    "rollout.canonical_sums",
    // The same function.
    "policy.kernel",
    "checkpoint.every",
    "checkpoint.keep",
    "log.every",
    "log.histograms_every",
    // The end of a run and what comes after it.
    // No car gets to the goal in so short a run.
    "env.goal_velocity",
    "task.patience",
    "task.test_sequences",
    "task.test_intervals",
    // What others there are in a section.
    "env.name",
    "algorithm.name",
    "task.name",
    "policy.cell.name",
];

/// Keys that are absent unless they are set, and values that act.
const OPTIONAL: [(&str, &str); 12] = [
    ("rollout.sequence_length", "3"),
    ("rollout.max_replacements", "7"),
    ("optimizer.max_grad_norm", "0.001"),
    ("optimizer.max_decay", "0.5"),
    ("policy.cell.clamp", "0.001"),
    ("policy.cell.initial_memory", "30.0"),
    ("policy.cell.initial_norm", "0.5"),
    ("algorithm.value_clip", "0.001"),
    ("algorithm.value_error_clamp", "0.001"),
    ("algorithm.target_kl", "1e-12"),
    ("algorithm.kl_penalty", "{ coefficient = 0.5 }"),
    ("policy.encoder.activation", "'relu'"),
];

/// Values of keys that have names, or of which half is no other value that acts.
const OTHERS: [(&str, &str); 26] = [
    // Whole sequences, so that one step more may be none.
    ("algorithm.minibatch_size", "20"),
    ("env.max_episode_steps", "5"),
    ("optimizer.epsilon", "0.1"),
    ("optimizer.max_grad_norm", "0.001"),
    ("optimizer.max_decay", "0.5"),
    // Refused unless there is a device.
    ("training.device", "'cuda'"),
    ("normalization.clip", "0.05"),
    ("algorithm.clip", "0.0001"),
    ("algorithm.reduction", "'sum'"),
    ("algorithm.normalize_advantages", "'batch'"),
    ("env.size", "7"),
    ("env.reward", "0.5"),
    ("env.view_radius", "2"),
    ("policy.critic", "'separate'"),
    ("policy.initialization", "'orthogonal'"),
    ("policy.encoder.name", "'mlp'"),
    ("policy.encoder.bytes", "'raw'"),
    ("policy.encoder.activation", "'relu'"),
    ("policy.gaussian.std", "'state-independent'"),
    ("policy.cell.normalize_state", "'after'"),
    ("policy.cell.norm_of", "'F'"),
    ("policy.cell.rule", "'oja'"),
    ("policy.cell.decay", "'all'"),
    ("policy.cell.plastic", "'recurrent'"),
    ("policy.cell.granularity", "'scalar'"),
    ("task.data", "'fixed'"),
];

fn value(text: &str) -> Value {
    format!("value = {text}").parse::<Table>().unwrap().remove("value").unwrap()
}

/// Another value of a key.
fn other(key: &str, old: &Value) -> Value {
    match (OTHERS.iter().find(|(known, _)| *known == key), old) {
        (Some((_, text)), old) if value(text) != *old => value(text),
        (_, Value::Boolean(set)) => Value::Boolean(!set),
        // Whether a list of switches or of sizes.
        (_, Value::Array(list)) if list.is_empty() => value("[0]"),
        (_, Value::Array(list)) => Value::Array(list.iter().chain(list).cloned().collect()),
        (_, Value::Integer(0)) => Value::Integer(1),
        (_, Value::Integer(number)) => Value::Integer(number + 1),
        (_, Value::Float(number)) => Value::Float(if *number == 0.0 { 0.5 } else { number / 2.0 }),
        (_, old) => match key {
            "env.level" => value("'hard'"),
            "env.task" => value("'repeat-first'"),
            "policy.critic" => value("'shared'"),
            "policy.encoder.name" => value("'identity'"),
            "policy.cell.modulation" if old.as_str() == Some("constant") => value("'network'"),
            "policy.cell.modulation" => value("'constant'"),
            "policy.cell.activation" => value("'relu'"),
            "policy.cell.bound" => value("'additive'"),
            "policy.cell.granularity" => value("'synapse'"),
            "policy.cell.normalize_state" => value("'none'"),
            "policy.cell.norm_of" => value("'G'"),
            "policy.cell.rule" => value("'hebb'"),
            _ => panic!("name another value than {old} for {key}"),
        },
    }
}

fn set(table: &mut Table, key: &str, to: Value) {
    match key.split_once('.') {
        Some((section, rest)) => {
            let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            set(entry.as_table_mut().unwrap(), rest, to);
        }
        None => drop(table.insert(key.into(), to)),
    }
}

/// Whatever can be seen of three updates: numbers, parameters, environments.
fn result(table: &Table) -> stpn_agents::Result<String> {
    let mut training = training(&RunConfig::from_table(table.clone())?)?;
    let mut seen = String::new();
    for _ in 0..3 {
        let metrics = training.update()?;
        let timeless: Vec<_> = metrics.iter().filter(|(name, _)| !depends_on_the_clock(name)).collect();
        seen += &format!("{timeless:?}\n");
    }
    let saved = training.save()?;
    Ok(format!("{seen}{:?}{:?}{:?}", saved.parameters, saved.adam, saved.workers))
}

/// The experiments above with all their keys, and, with those of their own, each cell and each environment.
fn experiments() -> Vec<(String, Table, &'static str)> {
    let mut experiments: Vec<(String, Table, &str)> =
        EXPERIMENTS.iter().map(|(name, text)| (name.to_string(), text.parse().unwrap(), "")).collect();
    let first = experiments[0].1.clone();
    for cell in CellName::ALL {
        let mut table = first.clone();
        set(&mut table, "policy.cell", Value::try_from(cell.config()).unwrap());
        experiments.push((cell.to_string(), table, "policy.cell."));
    }
    // The options of Atari's games and of MuJoCo's tasks are tested with those.
    let apart = |entry: &&Entry| entry.name == "atari" || entry.summary.ends_with("(MuJoCo)");
    for entry in ENVIRONMENTS.iter().filter(|entry| !apart(entry)) {
        let env = (entry.default)();
        let discrete = matches!(env.make().unwrap().action_space(), Space::Discrete { .. });
        let mut table = experiments[if discrete { 0 } else { 2 }].1.clone();
        set(&mut table, "env", Value::try_from(env).unwrap());
        experiments.push((entry.name.to_string(), table, "env."));
    }
    experiments
}

#[test]
fn options_were_accepted_and_did_nothing() {
    let mut idle = Vec::new();
    for (name, table, section) in experiments() {
        let config = RunConfig::from_table(table).unwrap();
        let table: Table = config.to_toml().unwrap().parse().unwrap();
        let plain = result(&table).unwrap();
        assert_eq!(plain, result(&table).unwrap(), "{name} repeats");
        let keys = keys::flat(&table);
        let present =
            keys.iter().filter(|(key, _)| key.starts_with(section) && !ABOUT_SOMETHING_ELSE.contains(&key.as_str()));
        let mut walk: Vec<(String, Value)> = present.map(|(key, old)| (key.clone(), other(key, old))).collect();
        let absent = OPTIONAL.iter().filter(|(key, _)| key.starts_with(section) && keys::get(&table, key).is_none());
        walk.extend(absent.map(|(key, text)| (key.to_string(), value(text))));
        for (key, to) in walk {
            let mut changed = table.clone();
            if key == "policy.encoder.name" {
                changed["policy"].as_table_mut().unwrap().remove("encoder");
            }
            set(&mut changed, &key, to);
            match result(&changed) {
                Ok(result) if result == plain => idle.push(format!("{name}: {key}")),
                Ok(_) => {}
                // Refused by its name, or beside that of an option that does nothing with it; or its section is.
                Err(error) => {
                    let error = error.to_string();
                    let (section, last) = key.rsplit_once('.').unwrap_or((&key, &key));
                    let unknown = error.contains(&format!("{section}: there is no such key"));
                    if !(unknown || error.contains(last)) {
                        idle.push(format!("{name}: {key}, refused by another name: {error}"));
                    }
                }
            }
        }
    }
    assert!(idle.is_empty(), "neither acted nor was refused: {idle:#?}");
}

#[test]
fn combinations_that_do_nothing_are_refused_with_the_remedy() {
    for (experiment, key, to, named) in [
        ("familiarity", "policy.encoder", "{ name = 'mlp', bytes = 'raw' }", "policy.encoder.bytes"),
        ("PPO with choices", "algorithm.clip_rewards", "true", "normalization.rewards"),
        ("PPO with choices", "policy.gaussian.initial_std", "0.5", "policy.gaussian.initial_std"),
        ("PPO with choices", "rollout.noise_correlation", "0.5", "rollout.noise_correlation"),
        ("PPO with choices", "policy.encoder", "{ name = 'mlp', bytes = 'raw' }", "policy.encoder.bytes"),
        ("PPO with choices", "algorithm.epochs", "1", "algorithm.recompute_states"),
        ("PPO with choices", "rollout.sequence_length", "12", "algorithm.recompute_states"),
        ("PPO with numbers", "algorithm.epochs", "1", "algorithm.recompute_advantages"),
        ("PPO with choices", "evaluation.every", "0", "evaluation.episodes"),
        ("PPO with numbers", "normalization.clip", "5.0", "normalization.clip"),
        ("A2C", "evaluation.deterministic", "true", "evaluation.deterministic"),
        ("A2C", "rollout.max_replacements", "5", "rollout.max_replacements"),
    ] {
        let (_, text) = EXPERIMENTS.iter().find(|(name, _)| *name == experiment).unwrap();
        let mut table = text.parse().unwrap();
        set(&mut table, key, value(to));
        let error = result(&table).unwrap_err().to_string();
        assert!(error.starts_with(&format!("configuration: {named}: ")), "{key}: {error}");
        assert!(["leave", "set"].iter().any(|remedy| error.contains(remedy)), "{key}: {error}");
    }
}

#[test]
fn tasks_took_the_keys_of_agents_and_ignored_encoders() {
    for experiment in ["associative retrieval", "familiarity"] {
        let (_, text) = EXPERIMENTS.iter().find(|(name, _)| *name == experiment).unwrap();
        let with = |key: &str, to: &str| {
            let mut table = text.parse().unwrap();
            set(&mut table, key, value(to));
            result(&table)
        };
        for (key, to) in [("critic", "'shared'"), ("policy_gain", "1.0"), ("gaussian", "{ squash = false }")] {
            let error = with(&format!("policy.{key}"), to).unwrap_err().to_string();
            assert!(error.contains(&format!("policy.{key}: there is no such key")), "{error}");
        }
        let plain = result(&text.parse().unwrap()).unwrap();
        assert_ne!(with("policy.encoder", "{ name = 'mlp', sizes = [4] }").unwrap(), plain, "{experiment}");
        let refused = with("policy.encoder", "{ name = 'paper-cnn' }").unwrap_err().to_string();
        assert!(refused.contains("policy.encoder.name"), "{refused}");
    }
}
