//! Pictures of environments, and episodes as animated ones.

pub mod blocks;
mod classic;
mod fast;
mod picture;

use std::io::Write;

use gif::{Encoder, Frame, Repeat};
use stpn_agents::episode::Moment;
use stpn_agents::policy::encoder::ObservationRef;
use stpn_envs::{Env, EnvConfig, Screen};

pub use fast::FastMap;
pub use picture::Picture;

use crate::{Error, Result};

/// What a picture is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A file: large enough to look at.
    Film,
    /// A terminal, where pixels are few.
    Terminal,
}

/// Colours of a maze.
const WALL: [u8; 3] = [70, 76, 86];
const AGENT: [u8; 3] = [209, 73, 91];
const GOAL: [u8; 3] = [0, 121, 140];
const FREE: [u8; 3] = [250, 250, 250];

/// How an environment is drawn.
#[derive(Clone, Debug)]
pub enum Scene {
    /// From its own text rendering, two characters a cell: the maze.
    Cells,
    /// From the observation: cart and pole.
    CartPole {
        /// Index of the pole's angle in the observation.
        angle: usize,
    },
    /// From the observation (cos θ, sin θ, velocity): a pendulum.
    Pendulum,
    /// From the observation: a car between two hills.
    MountainCar,
    /// From the observation (cos θ₁, sin θ₁, cos θ₂, sin θ₂, velocities): two links.
    Acrobot,
    /// The environment's own screen, in its colours: a game.
    Screen,
}

impl Scene {
    /// The scene of an environment; none if it cannot be drawn.
    pub fn of(config: &EnvConfig, env: &dyn Env) -> Option<Self> {
        match config {
            EnvConfig::Maze(_) => Some(Self::Cells),
            EnvConfig::Cartpole(_) => Some(Self::CartPole { angle: 2 }),
            EnvConfig::CartpoleMasked(_) => Some(Self::CartPole { angle: 1 }),
            EnvConfig::Pendulum(_) | EnvConfig::PendulumMasked(_) => Some(Self::Pendulum),
            EnvConfig::MountainCar(_)
            | EnvConfig::MountainCarContinuous(_)
            | EnvConfig::MountainCarContinuousMasked(_) => Some(Self::MountainCar),
            EnvConfig::Acrobot(_) => Some(Self::Acrobot),
            // It has no picture before its first reset.
            #[cfg(unix)]
            EnvConfig::Gymnasium(_) => Some(Self::Screen),
            _ => env.screen().map(|_| Self::Screen),
        }
    }

    /// Signs of the text rendering, with their colours in a picture and what they stand for.
    pub fn key(&self) -> &'static [(&'static str, [u8; 3], &'static str)] {
        match self {
            Self::Cells => &[("██", WALL, "wall"), ("@@", AGENT, "agent"), ("$$", GOAL, "goal")],
            _ => &[],
        }
    }

    /// The picture of a moment; a maze's with the fast weights beside it, if there are some.
    pub fn draw<E: Env>(&self, moment: &Moment<'_, E>, fast: Option<&FastMap<'_>>, made_for: Use) -> Option<Picture> {
        let observation: &[f32] = match moment.observation.all() {
            ObservationRef::F32(values) => values,
            ObservationRef::U8(_) => &[],
        };
        match *self {
            Self::Cells => {
                let maze = cells(&moment.env.render()?, if made_for == Use::Film { 16 } else { 2 });
                Some(fast.map_or(maze.clone(), |fast| {
                    let (height, gap) = (usize::from(maze.height), usize::from(maze.height) / 9);
                    fast::beside(&maze, &fast.picture(height * 3 / 2, height), gap)
                }))
            }
            Self::CartPole { angle } => classic::cart_pole(observation[0], observation[angle]),
            Self::Pendulum => classic::pendulum(observation[0], observation[1]),
            Self::MountainCar => classic::mountain_car(observation[0]),
            Self::Screen => moment.env.screen().map(|screen| match made_for {
                Use::Film => enlarged(&screen),
                Use::Terminal => as_it_is(screen),
            }),
            Self::Acrobot => classic::acrobot([observation[0], observation[1], observation[2], observation[3]]),
        }
    }
}

/// An animated GIF that repeats for ever. Every picture is written as it comes: an episode may have any length.
pub struct Film<W: Write> {
    /// Until the first picture, whose size is the film's.
    sink: Option<W>,
    encoder: Option<Encoder<W>>,
    pictures: usize,
}

/// Hundredths of a second that a picture stays.
const DELAY: u16 = 5;

impl<W: Write> Film<W> {
    /// A film that is written to `sink`.
    pub fn new(sink: W) -> Self {
        Self { sink: Some(sink), encoder: None, pictures: 0 }
    }

    /// Adds the picture of a moment.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn add<E: Env>(&mut self, scene: &Scene, moment: &Moment<'_, E>, fast: Option<&FastMap<'_>>) -> Result<()> {
        scene.draw(moment, fast, Use::Film).map_or(Ok(()), |picture| self.show(&picture))
    }

    fn show(&mut self, picture: &Picture) -> Result<()> {
        if let Some(sink) = self.sink.take() {
            let mut encoder = Encoder::new(sink, picture.width, picture.height, &[]).map_err(Error::picture)?;
            encoder.set_repeat(Repeat::Infinite).map_err(Error::picture)?;
            self.encoder = Some(encoder);
        }
        // Exact up to 256 colours in a picture, which a game does not reach.
        let mut frame = Frame::from_rgb_speed(picture.width, picture.height, &picture.rgb, 10);
        frame.delay = DELAY;
        if let Some(encoder) = &mut self.encoder {
            encoder.write_frame(&frame).map_err(Error::picture)?;
            self.pictures += 1;
        }
        Ok(())
    }

    /// Ends the film; returns the number of its pictures.
    ///
    /// # Errors
    /// Fails if there is none, or its end cannot be written.
    pub fn finish(self) -> Result<usize> {
        let encoder = self.encoder.ok_or_else(|| {
            Error::picture(
                "the environment draws none; one of Gymnasium needs a `render()` that returns rgb_array frames",
            )
        })?;
        encoder.into_inner().map_err(Error::picture)?.flush().map_err(Error::picture)?;
        Ok(self.pictures)
    }
}

/// A picture of text cells of two characters, each a square: `██` walls, `@@` the agent, `$$` the goal.
fn cells(text: &str, side: usize) -> Picture {
    let rows: Vec<Vec<char>> = text.lines().map(|line| line.chars().step_by(2).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let color = |cell: Option<&char>| match cell {
        Some('█') => WALL,
        Some('@') => AGENT,
        Some('$') => GOAL,
        _ => FREE,
    };
    let mut rgb = Vec::with_capacity(rows.len() * columns * side * side * 3);
    for row in &rows {
        for _ in 0..side {
            for column in 0..columns {
                (0..side).for_each(|_| rgb.extend(color(row.get(column))));
            }
        }
    }
    Picture { width: (columns * side) as u16, height: (rows.len() * side) as u16, rgb }
}

/// Columns from which on a screen is large enough to look at.
const LARGE: usize = 320;

/// A screen pixel by pixel.
fn as_it_is(screen: Screen) -> Picture {
    Picture { width: screen.width as u16, height: screen.height as u16, rgb: screen.rgb }
}

/// A screen with every pixel of a small one, such as a game's, twice as wide and high.
fn enlarged(screen: &Screen) -> Picture {
    let side = if screen.width < LARGE { 2 } else { 1 };
    let mut rgb = Vec::with_capacity(screen.rgb.len() * side * side);
    for row in screen.rgb.chunks_exact(3 * screen.width.max(1)) {
        for _ in 0..side {
            row.chunks_exact(3).for_each(|pixel| (0..side).for_each(|_| rgb.extend(pixel)));
        }
    }
    Picture { width: (screen.width * side) as u16, height: (screen.height * side) as u16, rgb }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn cells_become_squares() {
        let picture = cells("██@@\n$$  \n", 16);
        assert_eq!((picture.width, picture.height, picture.rgb.len()), (32, 32, 32 * 32 * 3));
        assert_eq!(picture.rgb[..3], [70, 76, 86]);
        assert_eq!(picture.rgb[picture.rgb.len() - 3..], [250; 3]);
    }

    #[test]
    fn screens_are_enlarged_in_their_colours() {
        let screen = Screen { width: 2, height: 1, rgb: vec![255, 0, 0, 0, 0, 255] };
        let picture = enlarged(&screen);
        assert_eq!((picture.width, picture.height), (4, 2));
        let row = [[255, 0, 0], [255, 0, 0], [0, 0, 255], [0, 0, 255]].concat();
        assert_eq!(picture.rgb, [row.clone(), row].concat());
    }

    /// Counts what it is given.
    struct Counter<'a>(&'a Cell<usize>);

    impl Write for Counter<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.set(self.0.get() + bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_film_was_held_in_memory_until_its_end() {
        let written = Cell::new(0);
        let mut film = Film::new(Counter(&written));
        for number in 0..20 {
            let before = written.get();
            film.show(&cells(if number % 2 == 0 { "@@  \n" } else { "  @@\n" }, 16)).unwrap();
            assert!(written.get() > before, "picture {number} was kept back");
        }
        assert_eq!(film.finish().unwrap(), 20);
        assert!(Film::new(Vec::new()).finish().is_err(), "a film without a picture");
    }

    #[test]
    fn colours_of_a_game_were_drawn_gray() {
        // As many colours as the console has.
        let colours: Vec<[u8; 3]> = (0..128).map(|i| [2 * i, 255 - i, i / 2]).collect();
        let picture = enlarged(&Screen { width: 128, height: 1, rgb: colours.concat() });
        let mut bytes = Vec::new();
        let mut film = Film::new(&mut bytes);
        film.show(&picture).unwrap();
        film.finish().unwrap();
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(bytes.as_slice()).unwrap();
        let shown = &decoder.read_next_frame().unwrap().unwrap().buffer;
        let shown: Vec<u8> = shown.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        assert_eq!(shown, picture.rgb);
    }
}
