//! Episodes as animated pictures.

mod classic;

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result};
use stpn_agents::episode::Moment;
use stpn_agents::policy::encoder::ObservationRef;
use stpn_envs::{Dtype, Env, EnvConfig, Space};

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
    /// What the environment draws of itself.
    Drawn,
    /// The observation itself: the newest of its gray pictures `[C, H, W]`.
    Pixels {
        /// Rows H.
        height: usize,
        /// Columns W.
        width: usize,
    },
}

impl Scene {
    /// The scene of an environment; none where it cannot be drawn.
    pub fn of(config: &EnvConfig, observations: &Space) -> Option<Self> {
        match config {
            EnvConfig::Maze(_) => Some(Self::Cells),
            EnvConfig::Cartpole(_) => Some(Self::CartPole { angle: 2 }),
            EnvConfig::CartpoleMasked(_) => Some(Self::CartPole { angle: 1 }),
            EnvConfig::Pendulum(_) => Some(Self::Pendulum),
            EnvConfig::MountainCar(_) | EnvConfig::MountainCarContinuous(_) => Some(Self::MountainCar),
            EnvConfig::Acrobot(_) => Some(Self::Acrobot),
            #[cfg(unix)]
            EnvConfig::Gymnasium(_) => Some(Self::Drawn),
            _ => match (observations.dtype(), observations.shape()) {
                (Dtype::U8, &[_, height, width]) => Some(Self::Pixels { height, width }),
                _ => None,
            },
        }
    }

    fn draw<E: Env>(&self, moment: &Moment<'_, E>) -> Option<Picture> {
        let (observation, pixels): (&[f32], &[u8]) = match moment.observation.all() {
            ObservationRef::F32(values) => (values, &[]),
            ObservationRef::U8(pixels) => (&[], pixels),
        };
        match *self {
            Self::Drawn => moment.env.picture().and_then(std::result::Result::ok).map(|drawn| Picture {
                width: drawn.width as u16,
                height: drawn.height as u16,
                rgb: drawn.rgb,
            }),
            Self::Cells => moment.env.render().map(|text| cells(&text)),
            Self::CartPole { angle } => classic::cart_pole(observation[0], observation[angle]),
            Self::Pendulum => classic::pendulum(observation[0], observation[1]),
            Self::MountainCar => classic::mountain_car(observation[0]),
            Self::Pixels { height, width } => Some(enlarged(&pixels[pixels.len() - height * width..], width)),
            Self::Acrobot => classic::acrobot([observation[0], observation[1], observation[2], observation[3]]),
        }
    }
}

/// Pictures in a row.
#[derive(Clone, Debug, Default)]
pub struct Film {
    pictures: Vec<Picture>,
}

/// Hundredths of a second that a picture stays.
const DELAY: u16 = 5;

impl Film {
    /// Adds the picture of a moment.
    pub fn add<E: Env>(&mut self, scene: &Scene, moment: &Moment<'_, E>) {
        self.pictures.extend(scene.draw(moment));
    }

    /// Writes an animated GIF that repeats for ever; returns the number of pictures.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<usize> {
        let first = self.pictures.first().context("the episode gave no picture")?;
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let context = || format!("cannot write {}", path.display());
        let mut encoder =
            gif::Encoder::new(BufWriter::new(file), first.width, first.height, &[]).with_context(context)?;
        encoder.set_repeat(gif::Repeat::Infinite).with_context(context)?;
        for picture in &self.pictures {
            let mut frame = gif::Frame::from_rgb_speed(picture.width, picture.height, &picture.rgb, 10);
            frame.delay = DELAY;
            encoder.write_frame(&frame).with_context(context)?;
        }
        Ok(self.pictures.len())
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

/// A gray picture with every pixel four times as wide and high.
fn enlarged(gray: &[u8], width: usize) -> Picture {
    const SIDE: usize = 4;
    let mut rgb = Vec::with_capacity(gray.len() * SIDE * SIDE * 3);
    for row in gray.chunks_exact(width) {
        for _ in 0..SIDE {
            row.iter().for_each(|&value| (0..SIDE).for_each(|_| rgb.extend([value; 3])));
        }
    }
    Picture { width: (width * SIDE) as u16, height: (gray.len() / width * SIDE) as u16, rgb }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_squares() {
        let picture = cells("██@@\n$$  \n");
        assert_eq!((picture.width, picture.height, picture.rgb.len()), (32, 32, 32 * 32 * 3));
        assert_eq!(picture.rgb[..3], [70, 76, 86]);
        assert_eq!(picture.rgb[picture.rgb.len() - 3..], [250; 3]);
    }

    #[test]
    fn gray_pictures_are_enlarged() {
        let picture = enlarged(&[1, 2, 3, 4, 5, 6], 3);
        assert_eq!((picture.width, picture.height, picture.rgb.len()), (12, 8, 12 * 8 * 3));
        assert_eq!(picture.rgb[11 * 3], 3);
    }

    #[test]
    fn a_film_is_a_gif() {
        let picture = cells("@@\n");
        let film = Film { pictures: vec![picture.clone(), picture] };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("film.gif");
        assert_eq!(film.save(&path).unwrap(), 2);
        assert_eq!(&std::fs::read(path).unwrap()[..6], b"GIF89a");
        assert!(Film::default().save(&directory.path().join("empty.gif")).is_err());
    }
}
