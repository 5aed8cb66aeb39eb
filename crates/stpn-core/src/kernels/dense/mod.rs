//! Dense matrix products on lanes.
//!
//! A product adds to what is there, each element by one chain of multiply-adds in the order of the inner index. Its
//! value depends on nothing else: not on the number of rows, nor on how the product is divided. That makes a step
//! of inference equal the same step inside a sequence, bit for bit, which general matrix libraries do not promise.

mod activation;
mod energy;
mod norm;
mod panels;
mod product;
mod projection;
mod rows;

pub use activation::{activate, activate_back};
pub use energy::masked_squares;
pub use norm::{Normed, normalize, normalize_back};
pub use panels::Panels;
pub use product::{Left, Right, product, strips};
pub use projection::{Projection, ProjectionSums, magnitude};
pub use rows::{add_rows, copy_rows, sum_rows, take_rows};
