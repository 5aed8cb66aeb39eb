//! Pictures of an episode, side by side.

use super::figure::Figure;
use super::heatmap::data_uri;
use super::sheet::{Anchor, FONT, Sheet, WIDTH};
use crate::Result;
use crate::film::Picture;

/// Most pictures that are kept; beyond that every other one goes.
const MOST: usize = 8;

/// Pictures beside each other.
const COLUMNS: usize = 4;

/// Between pictures, and room for a line of text below each.
const GAP: f64 = 8.0;
const LINE: f64 = 28.0;

/// Pictures of an episode, evenly spaced, with the steps after which they were taken.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    pictures: Vec<(usize, Picture)>,
    /// Steps from one picture to the next are 2 to this power.
    doublings: u32,
}

impl Pictures {
    /// Takes a picture, if one is due at that step (counted from 1): drawing may be slow.
    pub fn look(&mut self, step: usize, draw: impl FnOnce() -> Option<Picture>) {
        if !self.is_due(step) {
            return;
        }
        self.pictures.extend(draw().map(|picture| (step, picture)));
        while self.pictures.len() > MOST {
            self.doublings += 1;
            let Self { pictures, doublings } = self;
            pictures.retain(|(step, _)| step.is_multiple_of(1 << *doublings));
        }
    }

    fn is_due(&self, step: usize) -> bool {
        step.is_multiple_of(1 << self.doublings)
    }

    /// All of them in one figure; none without pictures.
    ///
    /// # Errors
    /// Fails if a picture cannot be encoded.
    pub fn figure(&self) -> Result<Option<Figure>> {
        let Some((_, first)) = self.pictures.first() else { return Ok(None) };
        let side = (WIDTH - GAP * (COLUMNS + 1) as f64) / COLUMNS as f64;
        let tall = side * f64::from(first.height) / f64::from(first.width);
        let rows = self.pictures.len().div_ceil(COLUMNS);
        let mut sheet = Sheet::default();
        for (place, (step, picture)) in self.pictures.iter().enumerate() {
            let (row, column) = ((place / COLUMNS) as f64, (place % COLUMNS) as f64);
            let (x, y) = (GAP + column * (side + GAP), GAP + row * (tall + LINE + GAP));
            let address = data_uri(&picture.rgb, picture.width.into(), picture.height.into())?;
            sheet.element(&format!(
                "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{tall:.1}\" href=\"{address}\"/>"
            ));
            sheet.text((x + side / 2.0, y + tall + FONT), Anchor::Middle, "soft", &format!("step {step}"));
        }
        Ok(Some(Figure {
            id: "pictures".into(),
            title: "Pictures of an episode".into(),
            caption: "As the environment draws itself, after these steps of one evaluation episode.".into(),
            series: Vec::new(),
            svg: sheet.finish(GAP + rows as f64 * (tall + LINE + GAP)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(steps: usize) -> Pictures {
        let mut strip = Pictures::default();
        for step in 1..=steps {
            strip.look(step, || Some(Picture { width: 2, height: 1, rgb: vec![step as u8; 6] }));
        }
        strip
    }

    #[test]
    fn pictures_are_few_and_evenly_spaced_however_long_the_episode() {
        let taken = |steps| strip(steps).pictures.iter().map(|(step, _)| *step).collect::<Vec<_>>();
        assert_eq!(taken(3), [1, 2, 3]);
        assert_eq!(taken(9), [2, 4, 6, 8]);
        assert_eq!(taken(500), [64, 128, 192, 256, 320, 384, 448]);
    }

    #[test]
    fn only_what_is_kept_is_drawn() {
        let (mut strip, mut drawn) = (Pictures::default(), 0);
        (1..=1000).for_each(|step| strip.look(step, || (drawn += 1, None).1));
        assert_eq!(drawn, 1000, "without pictures none is too many");
        let (mut strip, mut drawn) = (Pictures::default(), 0);
        let picture = Picture { width: 1, height: 1, rgb: vec![0; 3] };
        (1..=1000).for_each(|step| strip.look(step, || (drawn += 1, Some(picture.clone())).1));
        assert!(drawn < 50, "{drawn}");
    }

    #[test]
    fn a_figure_has_every_picture_with_its_step() {
        assert!(Pictures::default().figure().unwrap().is_none());
        let figure = strip(5).figure().unwrap().unwrap();
        assert_eq!(figure.svg.matches("data:image/png").count(), 5);
        assert!(figure.svg.contains(">step 5</text>") && figure.svg.starts_with("<svg viewBox="));
    }
}
