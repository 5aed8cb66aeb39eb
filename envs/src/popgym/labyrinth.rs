//! What the two tasks in a labyrinth have in common: the grid, how it is made, and what is seen of it.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::Level;
use super::on_device::{GameKind, GameRules};
use crate::Space;

/// What can be on a square.
pub(super) const FREE: u8 = 0;
pub(super) const WALL: u8 = 1;
pub(super) const START: u8 = 2;
pub(super) const GOAL: u8 = 3;
/// Kinds of squares that an observation names; one of them, "hidden", is never seen.
const KINDS: usize = 5;

/// Left, right, up, down; an observation names what was done last, or 4 for nothing.
pub(super) const MOVES: usize = 4;

/// Steps after which an episode is truncated: one less than the 1,024 that it is said to have.
pub(super) const STEPS: u32 = 1023;

/// The reward for a step that brings nothing else.
pub(super) const STEP_REWARD: f64 = -1.0 / (STEPS + 1) as f64;

/// Numbers of an observation.
pub(super) const SEEN: usize = 10;

/// Rooms of the largest labyrinth, in a row and in all.
const MOST: usize = 9 * 9;

/// A square grid, row by row. Rooms are at odd rows and columns; what is between them is wall or an opening.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labyrinth {
    squares: Vec<u8>,
}

/// Where the agent is, and what it has just done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Walk {
    pub(super) at: usize,
    pub(super) last: usize,
    pub(super) steps: u32,
}

/// Rows and columns of rooms.
pub(super) fn rooms(level: Level) -> usize {
    level.of([5, 7, 9])
}

/// Choices of what both tasks observe: nine squares and the last move.
fn elements() -> Vec<usize> {
    let mut counts = vec![KINDS; SEEN];
    counts[SEEN - 1] = MOVES + 1;
    counts
}

/// What both tasks observe.
pub(super) fn observation_space() -> Space {
    Space::MultiDiscrete { counts: elements() }
}

/// What a device knows of both, rewards aside.
pub(super) fn rules(game: GameKind, rooms: usize) -> GameRules {
    GameRules { side: 2 * rooms + 1, ..GameRules::new(game, STEPS as usize, [vec![MOVES], elements()]) }
}

impl Labyrinth {
    /// One of so many rooms in each direction.
    pub(super) fn new(rooms: usize, goal: bool) -> Self {
        let side = 2 * rooms + 1;
        let mut labyrinth = Self { squares: vec![WALL; side * side] };
        labyrinth.draw(rooms, goal, &mut Stream::from_seed(0));
        labyrinth
    }

    /// Makes another of the same size by hunt and kill: a random walk through rooms not yet entered; where it is stuck,
    /// it goes on from a room not yet entered beside one that was. Start and goal are openings in opposite outer walls.
    pub(super) fn draw(&mut self, rooms: usize, goal: bool, stream: &mut Stream) {
        let side = 2 * rooms + 1;
        let square = |room: usize| (2 * (room / rooms) + 1) * side + 2 * (room % rooms) + 1;
        self.squares.fill(WALL);
        let mut room = stream.below(rooms * rooms);
        self.squares[square(room)] = FREE;
        for _ in 1..rooms * rooms {
            let onward = self.beside(rooms, room, WALL).pick(stream);
            let (from, next) = onward.map_or_else(|| self.hunt(rooms, stream), |next| (room, next));
            self.squares[square(next)] = FREE;
            // The square between two rooms lies in the middle of them.
            self.squares[usize::midpoint(square(from), square(next))] = FREE;
            room = next;
        }
        let mut gate = || 2 * stream.below(rooms) + 1;
        let (entrance, exit) = (gate(), gate());
        let (start, end) = match stream.below(4) {
            0 => (entrance, (side - 1) * side + exit),
            1 => ((side - 1) * side + entrance, exit),
            2 => (entrance * side, exit * side + side - 1),
            _ => (entrance * side + side - 1, exit * side),
        };
        self.squares[start] = START;
        if goal {
            self.squares[end] = GOAL;
        }
    }

    /// A room that was entered, and one beside it that was not.
    fn hunt(&self, rooms: usize, stream: &mut Stream) -> (usize, usize) {
        let mut found = Choice::default();
        for room in (0..rooms * rooms).filter(|&room| !self.entered(rooms, room)) {
            if self.beside(rooms, room, FREE).count > 0 {
                found.push(room);
            }
        }
        // As long as not all rooms are entered, one of them lies beside one that is.
        let room = found.pick(stream).unwrap_or(0);
        (self.beside(rooms, room, FREE).pick(stream).unwrap_or(0), room)
    }

    fn entered(&self, rooms: usize, room: usize) -> bool {
        let side = 2 * rooms + 1;
        self.squares[(2 * (room / rooms) + 1) * side + 2 * (room % rooms) + 1] != WALL
    }

    /// The rooms beside one that were entered (`FREE`) or not (`WALL`).
    fn beside(&self, rooms: usize, room: usize, what: u8) -> Choice {
        let (row, column) = (room / rooms, room % rooms);
        let neighbours = [
            (row > 0).then(|| room - rooms),
            (row + 1 < rooms).then(|| room + rooms),
            (column > 0).then(|| room - 1),
            (column + 1 < rooms).then(|| room + 1),
        ];
        let mut found = Choice::default();
        let wanted = |&room: &usize| self.entered(rooms, room) == (what == FREE);
        neighbours.into_iter().flatten().filter(wanted).for_each(|room| found.push(room));
        found
    }

    /// Rows and columns of squares.
    pub(super) fn side(&self) -> usize {
        self.squares.len().isqrt()
    }

    /// What is on a square.
    pub(super) fn at(&self, square: usize) -> u8 {
        self.squares[square]
    }

    /// How many squares are of a kind.
    pub(super) fn count(&self, kind: u8) -> usize {
        self.squares.iter().filter(|&&square| square == kind).count()
    }

    /// The first square of a kind, or the very first.
    fn find(&self, kind: u8) -> usize {
        self.squares.iter().position(|&square| square == kind).unwrap_or(0)
    }

    /// The start of an episode.
    pub(super) fn enter(&self) -> Walk {
        Walk { at: self.find(START), last: MOVES, steps: 0 }
    }

    /// Steps from the entrance to the exit at least, as if there were no walls.
    pub(super) fn across(&self) -> usize {
        let (side, start, exit) = (self.side(), self.find(START), self.find(GOAL));
        (start / side).abs_diff(exit / side) + (start % side).abs_diff(exit % side)
    }

    /// Its squares, the entrance, and how many squares are free.
    pub(super) fn numbers(&self) -> Vec<i32> {
        let rest = [self.find(START) as i32, self.count(FREE) as i32];
        self.squares.iter().map(|&square| square.into()).chain(rest).collect()
    }

    /// A step; walls and the outer border stop it.
    pub(super) fn walk(&self, walk: &mut Walk, action: usize) {
        let side = self.side();
        let (row, column) = (walk.at / side, walk.at % side);
        let (row, column) = match action {
            0 => (row, column.saturating_sub(1)),
            1 => (row, (column + 1).min(side - 1)),
            2 => (row.saturating_sub(1), column),
            _ => ((row + 1).min(side - 1), column),
        };
        let next = row * side + column;
        if self.squares[next] != WALL {
            walk.at = next;
        }
        (walk.last, walk.steps) = (action, walk.steps + 1);
    }

    /// Writes what is seen: the 3×3 squares around the agent and what it did last.
    ///
    /// Fault: in the first row or column, the squares are not those around the agent, but begin with its own row or
    /// column, and what is missing at the other end is wall.
    pub(super) fn observe(&self, walk: &Walk, observation: &mut [f32]) {
        let side = self.side();
        let (row, column) = (walk.at / side, walk.at % side);
        let (top, left) = (row.saturating_sub(1), column.saturating_sub(1));
        for (at, seen) in observation[..SEEN - 1].iter_mut().enumerate() {
            let (below, beside) = (top + at / 3, left + at % 3);
            let within = below <= row + 1 && below < side && beside <= column + 1 && beside < side;
            *seen = if within { self.squares[below * side + beside] } else { WALL }.into();
        }
        observation[SEEN - 1] = walk.last as f32;
    }

    /// Whether grid and walk can be of a labyrinth of that size.
    pub(super) fn fits(&self, rooms: usize, walk: &Walk) -> bool {
        let side = 2 * rooms + 1;
        self.squares.len() == side * side
            && self.squares.iter().all(|&square| square <= GOAL)
            && self.count(START) == 1
            && self.squares.get(walk.at).is_some_and(|&square| square != WALL)
            && walk.last <= MOVES
            && walk.steps <= STEPS
    }
}

/// Rooms of which one is chosen.
struct Choice {
    rooms: [usize; MOST],
    count: usize,
}

impl Default for Choice {
    fn default() -> Self {
        Self { rooms: [0; MOST], count: 0 }
    }
}

impl Choice {
    fn push(&mut self, room: usize) {
        self.rooms[self.count] = room;
        self.count += 1;
    }

    fn pick(&self, stream: &mut Stream) -> Option<usize> {
        (self.count > 0).then(|| self.rooms[stream.below(self.count)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of thousands of labyrinths of the package's generator (mazelib 0.9.16): the mean number of rooms with one way
    /// out.
    const DEAD_ENDS: [(usize, f64); 3] = [(5, 4.17), (7, 6.74), (9, 10.17)];

    fn ways(labyrinth: &Labyrinth, square: usize) -> usize {
        let side = labyrinth.side();
        [square - 1, square + 1, square - side, square + side].iter().filter(|&&at| labyrinth.at(at) == FREE).count()
    }

    #[test]
    fn labyrinths_are_like_those_of_the_package() {
        let mut stream = Stream::from_seed(1);
        for (rooms, expected) in DEAD_ENDS {
            let (side, drawn) = (2 * rooms + 1, 5_000);
            let (mut labyrinth, mut dead_ends, mut starts) = (Labyrinth::new(rooms, true), 0, vec![0; side * side]);
            for _ in 0..drawn {
                labyrinth.draw(rooms, true, &mut stream);
                // A tree: as many openings as rooms, less one.
                assert_eq!(labyrinth.count(FREE), 2 * rooms * rooms - 1);
                let squares = (0..rooms * rooms).map(|room| (2 * (room / rooms) + 1) * side + 2 * (room % rooms) + 1);
                dead_ends += squares.filter(|&square| ways(&labyrinth, square) == 1).count();
                starts[labyrinth.enter().at] += 1;
                let goal = (0..side * side).find(|&square| labyrinth.at(square) == GOAL).unwrap();
                let (start, opposite) = (labyrinth.enter().at, |at: usize| side - 1 - at);
                let across = goal / side == opposite(start / side) && [0, side - 1].contains(&(start / side));
                let along = goal % side == opposite(start % side) && [0, side - 1].contains(&(start % side));
                assert!(across || along, "{start} {goal}");
            }
            let mean = dead_ends as f64 / f64::from(drawn);
            assert!((mean / expected - 1.0).abs() < 0.05, "{rooms}: {mean} dead ends");
            let gates = starts.iter().filter(|&&often| often > 0).count();
            assert_eq!(gates, 4 * rooms, "{starts:?}");
        }
    }
}
