//! Where named tensors lie when they are packed one after another.

use std::ops::Range;

use crate::{Error, Result};

/// Names, shapes and places of tensors that are packed one after another, each row-major.
///
/// It is made of what a cell declares: its [`Parameters`](crate::Parameters) or the fields of its state. Whoever works on
/// packed values asks it for places, and knows no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    tensors: Vec<(String, Vec<usize>, Range<usize>)>,
}

impl Layout {
    /// Tensors of these names and shapes, in this order.
    pub fn new<'t>(tensors: impl IntoIterator<Item = (&'t str, &'t [usize])>) -> Self {
        let mut start = 0;
        let place = |(name, shape): (&str, &[usize])| {
            let range = start..start + shape.iter().product::<usize>();
            start = range.end;
            (name.to_string(), shape.to_vec(), range)
        };
        Self { tensors: tensors.into_iter().map(place).collect() }
    }

    /// Scalars of all tensors.
    pub fn len(&self) -> usize {
        self.tensors.last().map_or(0, |(_, _, range)| range.end)
    }

    /// True if there is nothing to pack.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the tensor of that name lies, if there is one.
    pub fn find(&self, name: &str) -> Option<Range<usize>> {
        self.tensors.iter().find(|(known, ..)| known == name).map(|(_, _, range)| range.clone())
    }

    /// Where the tensor of that name lies.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the names there are.
    pub fn range(&self, name: &str) -> Result<Range<usize>> {
        self.find(name).ok_or_else(|| Error::Unknown {
            kind: "tensor",
            name: name.to_string(),
            known: self.tensors.iter().map(|(known, ..)| known.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Where the matrix of that name lies.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the names there are; [`Error::Shape`] if it is no matrix.
    pub fn matrix(&self, name: &str) -> Result<Matrix> {
        let start = self.range(name)?.start;
        match self.tensors.iter().find(|(known, ..)| known == name).map(|(_, shape, _)| &shape[..]) {
            Some(&[_, columns]) => Ok(Matrix { start, row: columns, column: 1 }),
            shape => {
                let (what, got) = (name.to_string(), shape.unwrap_or_default().to_vec());
                Err(Error::Shape { what, expected: "a matrix".into(), got })
            }
        }
    }
}

/// Where the elements of a matrix lie among packed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    start: usize,
    row: usize,
    column: usize,
}

impl Matrix {
    /// Where the element of that row and column lies.
    #[inline(always)]
    pub fn at(self, row: usize, column: usize) -> usize {
        self.start + row * self.row + column * self.column
    }

    /// Where the elements of so many rows and columns lie, row by row.
    pub fn places(self, rows: usize, columns: usize) -> impl Iterator<Item = usize> {
        (0..rows).flat_map(move |row| (0..columns).map(move |column| self.at(row, column)))
    }

    /// Its transpose, in the same place.
    pub fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    /// The columns from that one on.
    pub fn from_column(self, column: usize) -> Self {
        Self { start: self.at(0, column), ..self }
    }
}

/// The sizes of a layer, and where its parameters and the state of one batch element lie when packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerLayout {
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// The packed parameters.
    pub parameters: Layout,
    /// The packed state of one element.
    pub state: Layout,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_lie_one_after_another() {
        let layout = Layout::new([("weight", &[2, 3][..]), ("rate", &[]), ("bias", &[2])]);
        assert_eq!((layout.range("rate").unwrap(), layout.find("bias"), layout.len()), (6..7, Some(7..9), 9));
        assert_eq!(layout.find("gain"), None);
        let error = layout.range("gain").unwrap_err().to_string();
        assert!(error.contains("gain") && error.contains("weight, rate, bias"), "{error}");
        assert!(layout.matrix("bias").unwrap_err().to_string().contains("a matrix"));
        assert!(Layout::new([]).is_empty() && !layout.is_empty());
    }

    #[test]
    fn matrices_are_found_by_row_and_column() {
        let matrix = Layout::new([("first", &[4][..]), ("weight", &[2, 3])]).matrix("weight").unwrap();
        assert_eq!([matrix.at(0, 0), matrix.at(1, 2)], [4, 9]);
        assert_eq!(matrix.places(2, 2).collect::<Vec<_>>(), [4, 5, 7, 8]);
        assert_eq!(matrix.transposed().at(2, 1), matrix.at(1, 2));
        assert_eq!(matrix.from_column(2).at(1, 0), matrix.at(1, 2));
        assert_eq!(matrix.transposed().from_column(1).at(2, 0), matrix.at(1, 2));
    }
}
