//! What plasticity learned: λ and γ as heat maps, time constants, and the fast weights over an episode.

use super::bars::bars;
use super::chart::{Chart, Line};
use super::episode::Recording;
use super::figure::Figure;
use super::heatmap::{HeatMap, Scale};
use super::runs::RunData;
use crate::Result;
use crate::comparison::statistics::NOT_NEGATIVE;

/// What the axes of a matrix of synapses say.
const FROM: &str = "from: inputs, then units (index)";
const TO: &str = "to: unit (index)";

/// The trained plasticity parameters of a network, `[H, D]` or a scalar each.
pub struct Rates {
    /// λ, row-major.
    pub lambda: Vec<f32>,
    /// γ, row-major.
    pub gamma: Vec<f32>,
    /// Columns D of both; 1 if they are scalar.
    pub columns: usize,
}

impl Rates {
    /// Of a run whose cell has them; none without a checkpoint.
    ///
    /// # Errors
    /// Fails if the checkpoint does not fit its configuration.
    pub fn of(run: &RunData) -> Result<Option<Self>> {
        let mut parameters = run.parameters()?;
        let mut take = |wanted: &str| {
            let place = parameters.iter().position(|parameter| parameter.name == wanted)?;
            Some(parameters.swap_remove(place))
        };
        let (Some(lambda), Some(gamma)) = (take("cell.lambda"), take("cell.gamma")) else { return Ok(None) };
        // A cell of one's own may call by these names what has other shapes.
        let columns = match lambda.shape[..] {
            [] => 1,
            [columns] | [_, columns] => columns,
            _ => return Ok(None),
        };
        if lambda.shape != gamma.shape || lambda.values.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { lambda: lambda.values, gamma: gamma.values, columns }))
    }
}

/// Heat maps of λ and γ, and the time constants that follow from λ.
///
/// # Errors
/// Fails if a picture cannot be drawn.
pub fn rates(rates: &Rates) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if rates.columns > 1 {
        let map = |id: &str, name: &str, title: &str, values: &[f32], scale, caption: &str| -> Result<Figure> {
            let map = HeatMap { values, columns: rates.columns, x_label: FROM, y_label: TO, unit: name, scale };
            Ok(Figure {
                id: id.into(),
                title: title.into(),
                caption: caption.into(),
                series: vec![name.into()],
                svg: map.svg()?,
            })
        };
        let decay = "How much of a synapse's fast weight is left after a step.";
        let scale = Scale::sequential(&rates.lambda);
        figures.push(map("lambda", "λ (share)", "Learned decay λ", &rates.lambda, scale, decay)?);
        let growth = "How much a synapse grows with the product of its two activities: red Hebbian, blue anti-Hebbian. \
                      Colours are linear up to a usual γ, logarithmic beyond.";
        let scale = Scale::signed(&rates.gamma);
        figures.push(map("gamma", "γ (no unit)", "Learned plasticity rate γ", &rates.gamma, scale, growth)?);
    }
    figures.push(time_constants(&rates.lambda));
    Ok(figures)
}

/// −1/ln λ of every synapse with 0 < λ < 1, in logarithmic classes.
fn time_constants(lambda: &[f32]) -> Figure {
    const EDGES: [f64; 10] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
    let (mut counts, mut outside) = ([0.0; EDGES.len()], 0usize);
    for &value in lambda {
        if !(value > 0.0 && value < 1.0) {
            outside += 1;
            continue;
        }
        let steps = -1.0 / f64::from(value).ln();
        counts[EDGES.partition_point(|&edge| edge <= steps).saturating_sub(1)] += 1.0;
    }
    let rest = match outside {
        0 => String::new(),
        n => format!(" Not shown: {n} of {} synapses with λ outside (0, 1), which have none.", lambda.len()),
    };
    Figure {
        id: "time-constants".into(),
        title: "Time constants of the synapses".into(),
        caption: format!("−1/ln λ in steps: how long a fast weight lasts; the last class is open.{rest}"),
        series: vec!["time constants".into()],
        svg: bars("time constant −1/ln λ (steps)", "synapses (count)", &EDGES, &counts, 1),
    }
}

/// The size of F over an episode, and F itself at four moments.
///
/// # Errors
/// Fails if a picture cannot be drawn.
pub fn fast_weights(recording: &Recording) -> Result<Vec<Figure>> {
    if recording.fast_size.is_empty() {
        return Ok(Vec::new());
    }
    let points = recording.fast_size.iter().enumerate().map(|(t, size)| (t as f64 + 1.0, *size)).collect();
    let line = Line { name: "mean |F|".into(), points, ..Line::default() };
    let chart = Chart {
        x_label: "time in the episode (steps)".into(),
        y_label: "mean size of a fast weight, |F| (no unit)".into(),
        possible_y: NOT_NEGATIVE,
        lines: vec![line],
        ..Chart::default()
    };
    let mut figures = vec![Figure {
        id: "fast-weights".into(),
        title: "Fast weights over an episode".into(),
        caption: "Mean size of the fast weights F after every step of one evaluation episode.".into(),
        series: vec!["mean |F|".into()],
        svg: chart.svg(),
    }];
    let shown: Vec<&(usize, Vec<f32>)> = (1..=4)
        .filter_map(|quarter| {
            let wanted = recording.fast_size.len() * quarter / 4;
            recording.snapshots.iter().min_by_key(|(step, _)| step.abs_diff(wanted))
        })
        .collect();
    let scale = Scale::signed(shown.iter().flat_map(|(_, fast)| fast));
    for (i, (step, fast)) in shown.into_iter().enumerate() {
        let map = HeatMap {
            values: fast,
            columns: recording.fast_columns,
            x_label: FROM,
            y_label: TO,
            unit: "F (no unit)",
            scale,
        };
        figures.push(Figure {
            id: format!("fast-weights-{}", i + 1),
            title: format!("F after step {step}"),
            caption: "One scale for all four moments of the episode: linear up to a usual size, logarithmic beyond."
                .into(),
            series: vec!["F".into()],
            svg: map.svg()?,
        });
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decays_without_a_time_constant_are_counted_apart() {
        let figure = time_constants(&[0.5, 0.9, 1.2, -0.1, 0.999]);
        assert!(figure.caption.contains("2 of 5"), "{}", figure.caption);
    }
}
