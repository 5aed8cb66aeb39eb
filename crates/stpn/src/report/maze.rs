//! The path of a maze episode on its grid: the search in its first half, the returns in its second.

use std::ops::Range;

use stpn_envs::maze::{Grid, Position};

use super::figure::Figure;
use super::sheet::{Anchor, FONT, Sheet, WIDTH};

/// Side of the maze on its sheet, and the space around it.
const SIDE: f64 = 520.0;
const LEFT: f64 = (WIDTH - SIDE) / 2.0;
const TOP: f64 = 16.0;

/// An arrowhead on a way every so many steps.
const ARROW_EVERY: usize = 3;

/// One episode in a maze.
#[derive(Clone, Debug)]
pub struct Path {
    /// The maze.
    pub grid: Grid,
    /// Where the goal was.
    pub goal: Position,
    /// Where the agent stood: before the first step, then after each.
    pub positions: Vec<Position>,
    /// True if step t (from 0) reached the goal and the agent was moved away.
    pub reached: Vec<bool>,
}

impl Path {
    /// The path's two halves, a figure each.
    pub fn figures(&self) -> Vec<Figure> {
        let steps = self.reached.len();
        let halves = [("first", 0..steps / 2), ("second", steps / 2..steps)];
        let figure = |(half, steps): (&str, Range<usize>)| {
            let goals = self.reached[steps.clone()].iter().filter(|&&reached| reached).count();
            Figure {
                id: format!("path-{half}-half"),
                title: format!("The {half} half of an episode"),
                caption: format!(
                    "Steps {} to {}. The goal was reached {goals} times; each time the agent was moved to a random cell.",
                    steps.start + 1,
                    steps.end
                ),
                series: vec!["path".into()],
                svg: self.svg(steps),
            }
        };
        halves.into_iter().map(figure).collect()
    }

    /// The ways between two of the goal, each from where the agent was put.
    fn ways(&self, steps: Range<usize>) -> Vec<Vec<Position>> {
        let mut ways = vec![vec![self.positions[steps.start]]];
        for t in steps {
            let next = self.positions[t + 1];
            let way = ways.last_mut().into_iter();
            if self.reached[t] {
                way.for_each(|way| way.push(self.goal));
                ways.push(vec![next]);
            } else {
                way.for_each(|way| way.push(next));
            }
        }
        ways
    }

    fn svg(&self, steps: Range<usize>) -> String {
        let mut sheet = Sheet::default();
        let size = self.grid.size();
        let cell = SIDE / size as f64;
        let cells = (0..size).flat_map(|row| (0..size).map(move |column| Position { row, column }));
        for Position { row, column } in cells.filter(|&cell| self.grid.is_wall(cell)) {
            sheet.rectangle((LEFT + column as f64 * cell, TOP + row as f64 * cell), cell + 0.2, cell + 0.2, "wall");
        }
        let centre = |Position { row, column }: Position, shift: f64| {
            (LEFT + (column as f64 + 0.5 + shift) * cell, TOP + (row as f64 + 0.5 + shift) * cell)
        };
        let ways = self.ways(steps);
        sheet.colored(0, |sheet| {
            for (i, way) in ways.iter().enumerate() {
                // Ways lie side by side a little, so that repeated ones show.
                let shift = 0.07 * ((i % 5) as f64 - 2.0);
                let points: Vec<(f64, f64)> = way.iter().map(|&at| centre(at, shift)).collect();
                sheet.polyline(points.iter().copied(), 2.5, 0.6, "");
                let moves = points.windows(2).filter(|ends| ends[0] != ends[1]);
                for ends in moves.skip(1).step_by(ARROW_EVERY) {
                    arrow(sheet, ends[0], ends[1], 0.16 * cell);
                }
                if i > 0 {
                    sheet.disc(centre(way[0], shift), 0.11 * cell);
                }
            }
            let start = centre(ways[0][0], -0.14);
            sheet.rectangle((start.0 - 0.18 * cell, start.1 - 0.18 * cell), 0.36 * cell, 0.36 * cell, "");
        });
        sheet.of_class("goal", |sheet| ring(sheet, centre(self.goal, 0.0), 0.34 * cell));
        key(&mut sheet, TOP + SIDE + 28.0);
        sheet.finish(TOP + SIDE + 56.0)
    }
}

/// What the signs mean.
fn key(sheet: &mut Sheet, y: f64) {
    let text = |sheet: &mut Sheet, x: f64, name: &str| {
        sheet.text((x, y + 0.35 * FONT), Anchor::Start, "ink", name);
    };
    sheet.colored(0, |sheet| {
        sheet.rectangle((LEFT, y - 8.0), 16.0, 16.0, "");
        arrow(sheet, (LEFT + 108.0, y), (LEFT + 128.0, y), 9.0);
        sheet.disc((LEFT + 246.0, y), 6.0);
    });
    sheet.of_class("goal", |sheet| ring(sheet, (LEFT + 422.0, y), 9.0));
    for (x, name) in [(24.0, "start"), (134.0, "direction"), (260.0, "put there"), (440.0, "goal")] {
        text(sheet, LEFT + x, name);
    }
}

/// A head in the middle of a move, in its direction.
fn arrow(sheet: &mut Sheet, from: (f64, f64), to: (f64, f64), size: f64) {
    let length = (to.0 - from.0).hypot(to.1 - from.1);
    let (along_x, along_y) = ((to.0 - from.0) / length * size, (to.1 - from.1) / length * size);
    let (x, y) = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
    let back = (x - along_x, y - along_y);
    let (side_x, side_y) = (0.8 * along_y, -0.8 * along_x);
    let corners = [(x + along_x, y + along_y), (back.0 + side_x, back.1 + side_y), (back.0 - side_x, back.1 - side_y)];
    sheet.polygon(corners, 1.0);
}

fn ring(sheet: &mut Sheet, (x, y): (f64, f64), radius: f64) {
    sheet.element(&format!(
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"4\"/>"
    ));
}

#[cfg(test)]
mod tests {
    use stpn_envs::maze::{Maze, MazeConfig};

    use super::*;

    #[test]
    fn a_path_showed_neither_its_start_nor_its_direction() {
        let config = MazeConfig { size: 5, ..MazeConfig::default() };
        let grid = Maze::new(config).unwrap().grid().clone();
        let at = |row, column| Position { row, column };
        let path = Path {
            grid,
            goal: at(1, 1),
            positions: vec![at(3, 3), at(3, 2), at(3, 1), at(2, 1), at(3, 3), at(3, 2), at(3, 1), at(2, 1), at(1, 3)],
            reached: vec![false, false, false, true, false, false, false, true],
        };
        let ways = path.ways(0..8);
        assert_eq!(ways.len(), 3);
        assert_eq!((ways[0][0], ways[0].last()), (at(3, 3), Some(&at(1, 1))), "to the goal itself");
        assert_eq!((ways[2].as_slice(), ways[1][0]), ([at(1, 3)].as_slice(), at(3, 3)));
        let figures = path.figures();
        assert!(figures[0].caption.contains("reached 1 times"), "{}", figures[0].caption);
        for name in [">start<", ">direction<", ">goal<"] {
            assert!(figures[0].svg.contains(name), "{name}");
        }
        // One on the way of four moves, every third of which from the second on has a head, and that of the key.
        let heads = figures[0].svg.matches("<polygon").count();
        assert_eq!(heads, 1 + 1, "{}", figures[0].svg);
    }
}
