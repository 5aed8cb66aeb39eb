//! The path of a maze episode on its grid: the search in its first half, the returns in its second.

use std::error::Error as StdError;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use stpn_envs::maze::{Grid, Position};

use super::chart::{SIZE, responsive, rgb};
use super::figure::{Figure, color};

/// One episode in a maze.
#[derive(Clone, Debug)]
pub struct Path {
    /// The maze.
    pub grid: Grid,
    /// Where the goal was.
    pub goal: Position,
    /// Where the agent stood: before the first step, then after each.
    pub positions: Vec<Position>,
    /// True where step t (from 0) reached the goal and the agent was moved away.
    pub reached: Vec<bool>,
}

impl Path {
    /// The path's two halves, a figure each.
    ///
    /// # Errors
    /// Fails where a picture cannot be drawn.
    pub fn figures(&self) -> Result<Vec<Figure>> {
        let steps = self.reached.len();
        let halves = [("first", 0..steps / 2), ("second", steps / 2..steps)];
        halves
            .into_iter()
            .map(|(half, steps)| {
                let mut svg = String::new();
                self.draw(&mut svg, steps.clone()).map_err(|error| anyhow!("cannot draw a path: {error}"))?;
                let goals = self.reached[steps.clone()].iter().filter(|&&reached| reached).count();
                Ok(Figure {
                    id: format!("path-{half}-half"),
                    title: format!("The {half} half of an episode"),
                    caption: format!(
                        "Steps {} to {}: the goal (ring) was reached {goals} times; each time the agent was moved to a \
                         random cell (dot).",
                        steps.start + 1,
                        steps.end
                    ),
                    series: vec!["path".into()],
                    svg: responsive(&svg),
                })
            })
            .collect()
    }

    fn draw<'a>(&self, svg: &'a mut String, steps: std::ops::Range<usize>) -> Result<(), Box<dyn StdError + 'a>> {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let size = self.grid.size() as f64;
        // Square cells in the middle of a wide picture.
        let (width, height) = SIZE;
        let margin = size * (f64::from(width) / f64::from(height) - 1.0) / 2.0;
        let mut chart = ChartBuilder::on(&root).margin(6).build_cartesian_2d(-margin..size + margin, size..0.0)?;
        let cells =
            (0..self.grid.size()).flat_map(|row| (0..self.grid.size()).map(move |column| Position { row, column }));
        let walls = cells.filter(|&cell| self.grid.is_wall(cell)).map(|Position { row, column }| {
            let corner = (column as f64, row as f64);
            Rectangle::new([corner, (corner.0 + 1.0, corner.1 + 1.0)], RGBColor(70, 76, 86).filled())
        });
        chart.draw_series(walls)?;
        let color = rgb(color(0));
        let mut strand = vec![self.positions[steps.start]];
        let mut starts = vec![self.positions[steps.start]];
        let mut strands = Vec::new();
        for t in steps {
            if self.reached[t] {
                strand.push(self.goal);
                strands.push(std::mem::replace(&mut strand, vec![self.positions[t + 1]]));
                starts.push(self.positions[t + 1]);
            } else {
                strand.push(self.positions[t + 1]);
            }
        }
        strands.push(strand);
        for (i, strand) in strands.iter().enumerate() {
            // Strands lie side by side a little, so that repeated ones show.
            let shift = 0.06 * ((i % 5) as f64 - 2.0);
            let line = strand.iter().map(|&cell| centre(cell, shift));
            chart.draw_series(LineSeries::new(line, color.mix(0.65).stroke_width(3)))?;
        }
        chart.draw_series(starts.iter().map(|&cell| Circle::new(centre(cell, 0.0), 4, color.filled())))?;
        chart.draw_series([Circle::new(centre(self.goal, 0.0), 10, rgb((0, 121, 140)).stroke_width(4))])?;
        root.present()?;
        Ok(())
    }
}

fn centre(Position { row, column }: Position, shift: f64) -> (f64, f64) {
    (column as f64 + 0.5 + shift, row as f64 + 0.5 + shift)
}
