//! `docs/reference/checkpoints.md` names the parameters of the cells that agents are saved with, and their shapes.

use crate::support::build;
use candle_core::DType;
use stpn_core::cells::{CellConfig, CellName, LstmConfig, RnnConfig};

const PAGE: &str = include_str!("../../../../docs/reference/checkpoints.md");
const INPUT: usize = 3;
const UNITS: usize = 5;

/// What is in backticks in the paragraph that starts with that title.
fn code(title: &str) -> Vec<&'static str> {
    let start = PAGE.find(&format!("**{title}**")).unwrap();
    let paragraph = PAGE[start..].split("\n\n").next().unwrap();
    paragraph.split('`').skip(1).step_by(2).collect()
}

/// A size as it is written: a sum of I, H, D or P, each with a factor or without.
fn size(written: &str) -> usize {
    let term = |term: &str| {
        let letter = term.find(|letter: char| letter.is_ascii_uppercase()).unwrap_or(term.len());
        let factor: usize = term[..letter].parse().unwrap_or(1);
        let size = match &term[letter..] {
            "I" => INPUT,
            "H" => UNITS,
            "D" | "P" => INPUT + UNITS,
            _ => 1,
        };
        factor * size
    };
    written.split('+').map(|part| term(part.trim())).sum()
}

/// Each name with the shape that follows it; names in a row have the shape after the last one.
fn documented(title: &str) -> Vec<(&'static str, Vec<usize>)> {
    let (mut all, mut names) = (Vec::new(), Vec::new());
    for code in code(title) {
        match code.strip_prefix('[').and_then(|code| code.strip_suffix(']')) {
            Some(shape) => {
                let shape: Vec<usize> = shape.split(',').map(size).collect();
                all.extend(names.drain(..).map(|name| (name, shape.clone())));
            }
            None => names.push(code),
        }
    }
    all
}

#[test]
fn parameters_have_the_names_and_shapes_of_the_page() {
    for (title, config) in [
        ("STPN and STPNf", CellName::Stpn.config()),
        ("LSTM", CellName::Lstm.config()),
        ("LSTM", CellConfig::Lstm(LstmConfig { split: true, layer_norm: false })),
        ("GRU", CellName::Gru.config()),
        ("RNN", CellName::Rnn.config()),
        ("RNN", CellConfig::Rnn(RnnConfig { split: true })),
        ("MLP", CellName::Mlp.config()),
    ] {
        let (cell, documented) = (build(&config, INPUT, UNITS, DType::F32), documented(title));
        for (name, var) in cell.parameters().iter() {
            let parameter = (name, var.dims().to_vec());
            assert!(documented.contains(&parameter), "{config:?}: {parameter:?} is not among {documented:?}");
        }
    }
}
