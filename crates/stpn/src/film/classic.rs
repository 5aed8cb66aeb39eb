//! Pictures of the classic control tasks, from their observations.

use tiny_skia::{Color, FillRule, LineCap, Paint, PathBuilder, Pixmap, Rect, Stroke, Transform};

use super::picture::Picture;

const WIDTH: u32 = 400;
const HEIGHT: u32 = 280;
const INK: [u8; 3] = [70, 76, 86];
const ACCENT: [u8; 3] = [209, 73, 91];
const COOL: [u8; 3] = [0, 121, 140];

/// A cart at x (±2.4 m) with a pole at `angle` (radians, 0 upright, right positive).
pub fn cart_pole(x: f32, angle: f32) -> Option<Picture> {
    let mut canvas = Canvas::new()?;
    let (centre, floor) = (WIDTH as f32 / 2.0 + x * 70.0, 220.0);
    canvas.line(&[(0.0, floor + 14.0), (WIDTH as f32, floor + 14.0)], INK, 2.0);
    canvas.rectangle(centre - 30.0, floor - 12.0, 60.0, 24.0, COOL);
    let top = (centre + 120.0 * angle.sin(), floor - 120.0 * angle.cos());
    canvas.line(&[(centre, floor - 10.0), top], ACCENT, 8.0);
    Some(canvas.picture())
}

/// A pendulum by cosine and sine of its angle from upright.
pub fn pendulum(cosine: f32, sine: f32) -> Option<Picture> {
    let mut canvas = Canvas::new()?;
    let (x, y) = (WIDTH as f32 / 2.0, HEIGHT as f32 / 2.0);
    canvas.line(&[(x, y), (x - 110.0 * sine, y - 110.0 * cosine)], ACCENT, 14.0);
    canvas.rectangle(x - 5.0, y - 5.0, 10.0, 10.0, INK);
    Some(canvas.picture())
}

/// A car at position x, −1.2 to 0.6, on the road sin 3x.
pub fn mountain_car(x: f32) -> Option<Picture> {
    let mut canvas = Canvas::new()?;
    let place = |x: f32| ((x + 1.2) / 1.8 * WIDTH as f32, 200.0 - 70.0 * (3.0 * x).sin());
    let road: Vec<(f32, f32)> = (0..=90).map(|i| place(-1.2 + 0.02 * i as f32)).collect();
    canvas.line(&road, INK, 3.0);
    let (flag_x, flag_y) = place(0.5);
    canvas.line(&[(flag_x, flag_y), (flag_x, flag_y - 36.0)], COOL, 3.0);
    let (x, y) = place(x);
    canvas.rectangle(x - 14.0, y - 20.0, 28.0, 16.0, ACCENT);
    Some(canvas.picture())
}

/// Two links by cosine and sine of the upper one's angle from hanging and of the lower one's against it.
pub fn acrobot([cosine1, sine1, cosine2, sine2]: [f32; 4]) -> Option<Picture> {
    let mut canvas = Canvas::new()?;
    let (x, y, length) = (WIDTH as f32 / 2.0, HEIGHT as f32 / 2.0, 62.0);
    canvas.line(&[(0.0, y - length), (WIDTH as f32, y - length)], INK, 1.0);
    let elbow = (x + length * sine1, y + length * cosine1);
    let (sine, cosine) = (sine1 * cosine2 + cosine1 * sine2, cosine1 * cosine2 - sine1 * sine2);
    canvas.line(&[(x, y), elbow], COOL, 10.0);
    canvas.line(&[elbow, (elbow.0 + length * sine, elbow.1 + length * cosine)], ACCENT, 10.0);
    Some(canvas.picture())
}

/// A white sheet to draw on.
struct Canvas(Pixmap);

impl Canvas {
    fn new() -> Option<Self> {
        let mut pixmap = Pixmap::new(WIDTH, HEIGHT)?;
        pixmap.fill(Color::WHITE);
        Some(Self(pixmap))
    }

    fn line(&mut self, points: &[(f32, f32)], color: [u8; 3], width: f32) {
        let mut path = PathBuilder::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
        if let Some(path) = path.finish() {
            self.0.stroke_path(&path, &paint(color), &stroke, Transform::identity(), None);
        }
    }

    fn rectangle(&mut self, x: f32, y: f32, width: f32, height: f32, color: [u8; 3]) {
        if let Some(rectangle) = Rect::from_xywh(x, y, width, height) {
            let path = PathBuilder::from_rect(rectangle);
            self.0.fill_path(&path, &paint(color), FillRule::Winding, Transform::identity(), None);
        }
    }

    fn picture(self) -> Picture {
        // Everything is opaque, so that premultiplied colours are the colours.
        let rgb = self.0.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Picture { width: WIDTH as u16, height: HEIGHT as u16, rgb }
    }
}

fn paint([r, g, b]: [u8; 3]) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cart_moves_with_x() {
        let cart = |x| {
            let picture = cart_pole(x, 0.0).unwrap();
            let row = &picture.rgb[225 * WIDTH as usize * 3..226 * WIDTH as usize * 3];
            row.chunks_exact(3).position(|pixel| pixel == COOL).unwrap()
        };
        assert!(cart(-1.0) < cart(0.0) && cart(0.0) < cart(1.0));
    }

    #[test]
    fn every_task_has_a_picture() {
        let sizes = [pendulum(1.0, 0.0), mountain_car(-0.5), acrobot([1.0, 0.0, 1.0, 0.0])]
            .map(|picture| picture.unwrap().rgb.len());
        assert_eq!(sizes, [(WIDTH * HEIGHT * 3) as usize; 3]);
    }
}
