//! Episodes as animated pictures.

mod classic;

use std::io::Write;

use anyhow::{Context, Result};
use gif::{Encoder, Frame, Repeat};
use stpn_agents::episode::Moment;
use stpn_agents::policy::encoder::ObservationRef;
use stpn_envs::{Env, EnvConfig, Screen};

/// Pixels of one picture, RGB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// `[height, width, 3]`
    pub rgb: Vec<u8>,
}

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
    /// The scene of an environment; none where it cannot be drawn.
    pub fn of(config: &EnvConfig, env: &dyn Env) -> Option<Self> {
        match config {
            EnvConfig::Maze(_) => Some(Self::Cells),
            EnvConfig::Cartpole(_) => Some(Self::CartPole { angle: 2 }),
            EnvConfig::CartpoleMasked(_) => Some(Self::CartPole { angle: 1 }),
            EnvConfig::Pendulum(_) => Some(Self::Pendulum),
            EnvConfig::MountainCar(_) | EnvConfig::MountainCarContinuous(_) => Some(Self::MountainCar),
            EnvConfig::Acrobot(_) => Some(Self::Acrobot),
            // It has no picture before its first reset.
            #[cfg(unix)]
            EnvConfig::Gymnasium(_) => Some(Self::Screen),
            _ => env.screen().map(|_| Self::Screen),
        }
    }

    /// The picture of a moment; none if the environment has none.
    pub fn draw<E: Env>(&self, moment: &Moment<'_, E>) -> Option<Picture> {
        let observation: &[f32] = match moment.observation.all() {
            ObservationRef::F32(values) => values,
            ObservationRef::U8(_) => &[],
        };
        match *self {
            Self::Cells => moment.env.render().map(|text| cells(&text)),
            Self::CartPole { angle } => classic::cart_pole(observation[0], observation[angle]),
            Self::Pendulum => classic::pendulum(observation[0], observation[1]),
            Self::MountainCar => classic::mountain_car(observation[0]),
            Self::Screen => moment.env.screen().map(|screen| enlarged(&screen)),
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
    /// Fails where it cannot be written.
    pub fn add<E: Env>(&mut self, scene: &Scene, moment: &Moment<'_, E>) -> Result<()> {
        scene.draw(moment).map_or(Ok(()), |picture| self.show(&picture))
    }

    fn show(&mut self, picture: &Picture) -> Result<()> {
        if let Some(sink) = self.sink.take() {
            let mut encoder = Encoder::new(sink, picture.width, picture.height, &[])?;
            encoder.set_repeat(Repeat::Infinite)?;
            self.encoder = Some(encoder);
        }
        // Exact up to 256 colours in a picture, which a game does not reach.
        let mut frame = Frame::from_rgb_speed(picture.width, picture.height, &picture.rgb, 10);
        frame.delay = DELAY;
        if let Some(encoder) = &mut self.encoder {
            encoder.write_frame(&frame)?;
            self.pictures += 1;
        }
        Ok(())
    }

    /// Ends the film; returns the number of its pictures.
    ///
    /// # Errors
    /// Fails where there is none, or its end cannot be written.
    pub fn finish(self) -> Result<usize> {
        let encoder = self.encoder.context("the episode gave no picture")?;
        encoder.into_inner()?.flush()?;
        Ok(self.pictures)
    }
}

/// A picture of text cells of two characters: `██` walls, `@@` the agent, `$$` the goal.
fn cells(text: &str) -> Picture {
    const SIDE: usize = 16;
    let rows: Vec<Vec<char>> = text.lines().map(|line| line.chars().step_by(2).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let color = |cell: Option<&char>| match cell {
        Some('█') => [70, 76, 86],
        Some('@') => [209, 73, 91],
        Some('$') => [0, 121, 140],
        _ => [250, 250, 250],
    };
    let mut rgb = Vec::with_capacity(rows.len() * columns * SIDE * SIDE * 3);
    for row in &rows {
        for _ in 0..SIDE {
            for column in 0..columns {
                (0..SIDE).for_each(|_| rgb.extend(color(row.get(column))));
            }
        }
    }
    Picture { width: (columns * SIDE) as u16, height: (rows.len() * SIDE) as u16, rgb }
}

/// Columns from which on a screen is large enough to look at.
const LARGE: usize = 320;

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
        let picture = cells("██@@\n$$  \n");
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
            film.show(&cells(if number % 2 == 0 { "@@  \n" } else { "  @@\n" })).unwrap();
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
