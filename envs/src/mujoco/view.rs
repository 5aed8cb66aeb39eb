//! A plain picture of a simulation: its shapes as seen from the side or from above, drawn without MuJoCo's renderer,
//! which needs a graphics library.

use mujoco_rs::wrappers::mj_model::MjtGeomBase;

use super::Simulation;
use crate::Screen;

const WIDTH: usize = 320;
const HEIGHT: usize = 240;

const SKY: [u8; 3] = [250, 250, 250];
const GROUND: [u8; 3] = [225, 228, 233];
const MARK: [u8; 3] = [176, 182, 192];
const RAIL: [u8; 3] = [150, 157, 168];
/// Parts of the body, in turn, so that neighbours are told apart.
const PARTS: [[u8; 3]; 4] = [[209, 73, 91], [0, 121, 140], [237, 174, 73], [48, 99, 142]];
const OUTLINE: [u8; 3] = [50, 55, 64];

/// From where a task is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Along y: what moves forward moves to the right.
    Side,
    /// Along z.
    Above,
}

/// A shape on the picture's plane: a thick line, or a point of some size.
struct Shape {
    ends: [[f64; 2]; 2],
    radius: f64,
    color: [u8; 3],
    /// How near it is to the eye.
    depth: f64,
}

impl View {
    /// The picture of the present state; positions are those of the last derivation, a part of a step ago.
    pub(super) fn of(self, simulation: &Simulation) -> Screen {
        let (data, model) = (simulation.data(), simulation.data().model());
        let mut shapes = Vec::new();
        let geometry = data.geom_xpos().iter().zip(data.geom_xmat()).zip(model.geom_type()).zip(model.geom_size());
        for ((((position, frame), kind), size), &body) in geometry.zip(model.geom_bodyid()) {
            let [radius, half, _] = *size;
            // Along the shape's own z, the third column of its frame.
            let half = match kind {
                MjtGeomBase::mjGEOM_CAPSULE | MjtGeomBase::mjGEOM_CYLINDER => half,
                MjtGeomBase::mjGEOM_PLANE | MjtGeomBase::mjGEOM_HFIELD => continue,
                _ => 0.0,
            };
            let end = |sign: f64| self.flat([0, 1, 2].map(|i| position[i] + sign * half * frame[3 * i + 2]));
            let color = match usize::try_from(body) {
                Ok(body) if body > 0 => PARTS[body % PARTS.len()],
                _ => RAIL,
            };
            let depth = if self == Self::Side { -position[1] } else { position[2] };
            shapes.push(Shape { ends: [end(-1.0), end(1.0)], radius, color, depth });
        }
        shapes.sort_by(|a, b| a.depth.total_cmp(&b.depth));
        self.draw(&shapes, self.camera(simulation))
    }

    fn flat(self, [x, y, z]: [f64; 3]) -> [f64; 2] {
        if self == Self::Side { [x, z] } else { [x, y] }
    }

    /// The middle of the picture, and its pixels per metre: the model's own size, at the body that moves.
    fn camera(self, simulation: &Simulation) -> ([f64; 2], f64) {
        let statistics = simulation.data().model().stat();
        let [mut x, y] = self.flat(statistics.center);
        if let (Self::Side, Some(body)) = (self, simulation.data().xpos().get(1)) {
            x = body[0];
        }
        ([x, y], 0.42 * HEIGHT as f64 / statistics.extent.max(1e-3))
    }

    fn draw(self, shapes: &[Shape], (centre, scale): ([f64; 2], f64)) -> Screen {
        let mut rgb = Vec::with_capacity(WIDTH * HEIGHT * 3);
        for row in 0..HEIGHT {
            for column in 0..WIDTH {
                let at = [
                    centre[0] + (column as f64 + 0.5 - WIDTH as f64 / 2.0) / scale,
                    centre[1] - (row as f64 + 0.5 - HEIGHT as f64 / 2.0) / scale,
                ];
                rgb.extend(self.color(shapes, at, 1.0 / scale));
            }
        }
        Screen { width: WIDTH, height: HEIGHT, rgb }
    }

    /// The colour at a place; `pixel` is the length of a pixel there.
    fn color(self, shapes: &[Shape], at: [f64; 2], pixel: f64) -> [u8; 3] {
        for shape in shapes.iter().rev() {
            let beyond = distance(at, shape.ends) - shape.radius.max(pixel);
            if beyond < -1.2 * pixel {
                return shape.color;
            }
            if beyond < 0.0 {
                return OUTLINE;
            }
        }
        match self {
            Self::Above => SKY,
            Self::Side if at[1] > 0.0 => SKY,
            // A mark every metre shows that the ground goes by.
            Self::Side if at[1] > -0.12 && (at[0] - at[0].round()).abs() < 1.5 * pixel => MARK,
            Self::Side => GROUND,
        }
    }
}

/// From a point to the nearest of a line's.
fn distance(at: [f64; 2], [from, to]: [[f64; 2]; 2]) -> f64 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let (length, reach) = (along[0].hypot(along[1]), [at[0] - from[0], at[1] - from[1]]);
    let share = if length > 0.0 {
        ((reach[0] * along[0] + reach[1] * along[1]) / (length * length)).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (reach[0] - share * along[0]).hypot(reach[1] - share * along[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_to_the_nearest_point_of_a_line() {
        let line = [[0.0, 0.0], [2.0, 0.0]];
        assert_eq!([[1.0, 3.0], [5.0, 4.0], [-3.0, 0.0]].map(|at| distance(at, line)), [3.0, 5.0, 3.0]);
        assert_eq!(distance([3.0, 4.0], [[0.0, 0.0]; 2]), 5.0);
    }
}
