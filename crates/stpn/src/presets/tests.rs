//! Presets as they ship, and errors in files.

use stpn_core::cells::CellName;

use super::*;

#[test]
fn parameters_are_those_of_the_published_networks() {
    let published = [
        ("maze", CellName::Stpn, 12_215),
        ("art", CellName::Stpn, 2_039),
        ("art", CellName::Lstm, 2_062),
        ("art", CellName::Rnn, 1_937),
        ("art", CellName::FastWeights, 1_977),
        ("art", CellName::Stpnf, 1_961),
        ("art", CellName::StpnScalar, 1_939),
    ];
    for (name, cell, expected) in published {
        let (table, preset) = load(name).unwrap();
        let (config, preset) = (RunConfig::from_table(table).unwrap(), preset.unwrap());
        let size = preset.published_size(cell).unwrap();
        let count = Sizes::new(&config).unwrap().count(&preset.cell(cell), size).unwrap();
        assert_eq!(count, expected, "{name} {cell}");
    }
}

/// The paper has no GRU: its size is the one closest in parameters, in every preset that compares an LSTM.
#[test]
fn a_gru_is_matched_in_parameters() {
    for (name, size) in [("maze", 54), ("art", 11), ("familiarity", 27)] {
        let (table, preset) = load(name).unwrap();
        let (config, preset) = (RunConfig::from_table(table).unwrap(), preset.unwrap());
        let (sizes, cell) = (Sizes::new(&config).unwrap(), preset.cell(CellName::Gru));
        assert_eq!(preset.published_size(CellName::Gru), None, "{name}");
        assert_eq!(sizes.matched(&cell, sizes.configured().unwrap().parameters).unwrap(), size, "{name}");
    }
}

#[test]
fn presets_are_added_by_name_once_and_if_they_are_possible() {
    let text = PRESETS[0].text;
    register("of-my-own", "a copy", text).unwrap();
    assert_eq!(load("of-my-own").unwrap().1.unwrap().summary, "a copy");
    assert!(register("of-my-own", "", text).unwrap_err().to_string().contains("of-my-own: the name is taken"));
    assert!(register("maze", "", text).unwrap_err().to_string().contains("taken"));
    assert!(register("hopeless", "", "seed = 1").unwrap_err().to_string().contains("env"));
    assert!(find("hopeless").is_none());
}

#[test]
fn every_preset_is_a_possible_configuration() {
    for preset in PRESETS {
        let table = preset.table().unwrap();
        if preset.feature.is_none() {
            RunConfig::from_table(table).unwrap();
            continue;
        }
        // Without the environment's native library, everything else is checked with another in its place.
        let mut table = table;
        let stand_in = if preset.feature == Some("atari") { "name = 'cartpole'" } else { "name = 'pendulum'" };
        table.insert("env".into(), stand_in.parse::<Table>().unwrap().into());
        RunConfig::from_table(table).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
    }
}

/// Resolved by the program before defaults became those with which agents learn: also files of an older version.
#[test]
fn new_defaults_changed_what_presets_are() {
    let known = PRESETS.iter().filter(|preset| preset.missing_feature().is_none());
    let mut compared = 0;
    for preset in known {
        // Presets that are younger, or whose own settings changed since, have no file there.
        let path = format!("{}/tests/resolved/{}.toml", env!("CARGO_MANIFEST_DIR"), preset.name);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let before = RunConfig::from_table(text.parse().unwrap()).unwrap();
        let now = RunConfig::from_table(preset.table().unwrap()).unwrap();
        assert_eq!(now, before, "{}", preset.name);
        compared += 1;
    }
    assert!(compared >= 12, "only {compared} presets have a file");
}

#[test]
fn an_error_in_a_file_is_placed_in_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.toml");
    std::fs::write(&path, "env = 'carpole'\nalgorithm = 'ppo'\npolicy.cell = 'lstm'\n").unwrap();
    let name = path.to_str().unwrap();
    let error = |overrides: &[&str]| {
        let overrides: Vec<Override> = overrides.iter().map(|text| text.parse().unwrap()).collect();
        let mut table = load(name).unwrap().0;
        let _ = crate::overrides::apply_all(&mut table, &overrides).unwrap();
        crate::cli::exit::message(&placed(RunConfig::from_table(table).unwrap_err(), name, &overrides).into())
    };
    let text = error(&[]);
    assert!(text.contains("mine.toml, line 1: configuration: env.name: ") && text.contains("`cartpole`"), "{text}");
    let text = error(&["env=maze", "algorithm.epoch=3"]);
    assert!(text.starts_with("--set algorithm.epoch=3: ") && text.contains("did you mean `epochs`"), "{text}");
    // What is refused lies below what was set.
    let text = error(&["env=maze", "algorithm={name = 'ppo', epoch = 3}"]);
    assert!(text.starts_with("--set algorithm={ epoch = 3, name = \"ppo\" }: "), "{text}");
}

#[test]
fn mistyped_presets_had_no_suggestion() {
    for (name, meant) in [("carpole", "cartpole"), ("CartPole-v1", "cartpole"), ("maze_small", "maze-small")] {
        let error = load(name).unwrap_err().to_string();
        assert!(error.contains(&format!("did you mean `{meant}`?")), "{error}");
    }
}

#[test]
fn supervised_networks_are_matched_in_parameters() {
    for preset in PRESETS.iter().filter(|preset| ["art", "familiarity"].contains(&preset.name)) {
        let config = RunConfig::from_table(preset.table().unwrap()).unwrap();
        let sizes = Sizes::new(&config).unwrap();
        let own = sizes.configured().unwrap().parameters as f64;
        for (cell, size) in preset.cells.cells {
            let share = sizes.count(&preset.cell(*cell), size.unwrap()).unwrap() as f64 / own;
            assert!((0.85..1.15).contains(&share), "{} {cell}: {share}", preset.name);
        }
    }
}

#[test]
fn environments_of_the_list_had_no_word_of_how_to_train_them() {
    let said = |name: &str| get(name).unwrap_err().to_string();
    assert!(said("acrobot").contains("env = \"acrobot\""), "{}", said("acrobot"));
    assert!(said("Acrobot-v1").contains("`gym Acrobot-v1`"), "{}", said("Acrobot-v1"));
    let cartpole = said("CartPole-v1");
    assert!(cartpole.contains("did you mean `cartpole`?") && cartpole.contains("`gym CartPole-v1`"), "{cartpole}");
    assert!(said("mase").contains("did you mean `maze`?"));
}

#[test]
fn a_cell_was_compared_with_an_mlp_of_a_tenth_of_its_parameters() {
    for name in ["memory", "cartpole", "cartpole-masked"] {
        let preset = get(name).unwrap();
        let own = Sizes::new(&RunConfig::from_table(preset.table().unwrap()).unwrap())
            .unwrap()
            .configured()
            .unwrap()
            .parameters;
        for cell in preset.compared_cells() {
            let request = crate::TrainingRequest {
                experiment: name.into(),
                cell: Some(cell),
                ..crate::TrainingRequest::default()
            };
            let count = Sizes::new(&request.configure(1).unwrap()).unwrap().configured().unwrap().parameters;
            assert!((0.85..1.15).contains(&(count as f64 / own as f64)), "{name} {cell}: {count} and {own}");
        }
    }
}
