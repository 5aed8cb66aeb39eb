//! The maze's cells: walls, free cells and the distances between them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// A cell of the grid, counted from the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// 0 is the top row.
    pub row: usize,
    /// 0 is the leftmost column.
    pub column: usize,
}

impl Position {
    /// The neighbour in the direction of action 0 up, 1 down, 2 left, 3 right. Only for cells inside the outer
    /// walls, which have all four.
    pub fn neighbour(self, action: usize) -> Self {
        let Self { row, column } = self;
        match action {
            0 => Self { row: row - 1, column },
            1 => Self { row: row + 1, column },
            2 => Self { row, column: column - 1 },
            _ => Self { row, column: column + 1 },
        }
    }
}

/// Walls and free cells: outer walls, and a pillar at every cell whose row and column are both even, except the
/// centre, which is always free.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    size: usize,
    /// Row-major, true for a wall.
    walls: Vec<bool>,
    /// Free cells, row by row.
    free: Vec<Position>,
}

impl Grid {
    /// The grid of that odd size, at least 5.
    pub(super) fn new(size: usize) -> Self {
        let centre = size / 2;
        let wall = |row: usize, column: usize| {
            let outer = row == 0 || column == 0 || row == size - 1 || column == size - 1;
            let pillar = row.is_multiple_of(2) && column.is_multiple_of(2) && (row, column) != (centre, centre);
            outer || pillar
        };
        let cells = || (0..size).flat_map(|row| (0..size).map(move |column| (row, column)));
        Self {
            size,
            walls: cells().map(|(row, column)| wall(row, column)).collect(),
            free: cells()
                .filter(|&(row, column)| !wall(row, column))
                .map(|(row, column)| Position { row, column })
                .collect(),
        }
    }

    /// Rows and columns.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Where an episode starts.
    pub fn centre(&self) -> Position {
        Position { row: self.size / 2, column: self.size / 2 }
    }

    /// Whether that cell is a wall; everything outside the grid is.
    pub fn is_wall(&self, at: Position) -> bool {
        at.row >= self.size || at.column >= self.size || self.walls[at.row * self.size + at.column]
    }

    /// The free cells, row by row.
    pub fn free(&self) -> &[Position] {
        &self.free
    }

    /// Steps of a shortest path from `from` to every free cell, in the order of [`Grid::free`], by breadth-first
    /// search. Every free cell can be reached from every other.
    pub fn distances(&self, from: Position) -> Vec<u32> {
        let at = |position: Position| position.row * self.size + position.column;
        let mut steps = vec![u32::MAX; self.walls.len()];
        let mut queue = VecDeque::from([from]);
        steps[at(from)] = 0;
        while let Some(here) = queue.pop_front() {
            for action in 0..4 {
                let next = here.neighbour(action);
                if !self.is_wall(next) && steps[at(next)] == u32::MAX {
                    steps[at(next)] = steps[at(here)] + 1;
                    queue.push_back(next);
                }
            }
        }
        self.free.iter().map(|&cell| steps[at(cell)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(size: usize) -> Vec<String> {
        let grid = Grid::new(size);
        let line =
            |row| (0..size).map(|column| if grid.is_wall(Position { row, column }) { '#' } else { '.' }).collect();
        (0..size).map(line).collect()
    }

    #[test]
    fn layout() {
        assert_eq!(drawn(7), ["#######", "#.....#", "#.#.#.#", "#.....#", "#.#.#.#", "#.....#", "#######"]);
        assert_eq!(drawn(5), ["#####", "#...#", "#...#", "#...#", "#####"], "the centre is free though even");
        let free = |size| Grid::new(size).free().len();
        assert_eq!((free(9), free(13)), (41, 97));
    }

    #[test]
    fn no_cell_next_to_the_centre_is_a_wall() {
        for size in (5..30).step_by(2) {
            let grid = Grid::new(size);
            assert!(!grid.is_wall(grid.centre()));
            assert!((0..4).all(|action| !grid.is_wall(grid.centre().neighbour(action))), "size {size}");
        }
    }

    #[test]
    fn distances_round_a_pillar() {
        let grid = Grid::new(7);
        let distances = grid.distances(Position { row: 1, column: 2 });
        let to =
            |row, column| distances[grid.free().iter().position(|&cell| cell == Position { row, column }).unwrap()];
        assert_eq!(to(1, 2), 0);
        assert_eq!(to(3, 2), 4, "two rows down, but a pillar between");
        assert_eq!(to(5, 5), 7);
        assert!(distances.iter().all(|&distance| distance <= 12));
    }

    #[test]
    fn distances_are_symmetric() {
        let grid = Grid::new(9);
        let all: Vec<_> = grid.free().iter().map(|&cell| grid.distances(cell)).collect();
        for (i, row) in all.iter().enumerate() {
            for (j, &distance) in row.iter().enumerate() {
                assert_eq!(distance, all[j][i]);
            }
        }
    }
}
