//! Sizes: images, filters, and the blocks that a layer sees its input in.

/// Channels, height and width of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Channels C.
    pub channels: usize,
    /// Rows of pixels H.
    pub height: usize,
    /// Columns of pixels W.
    pub width: usize,
}

impl Image {
    /// Scalars C·H·W.
    pub fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// True without pixels.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// The filters of a layer: how many, of how many pixels each way, and how far apart. Without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters {
    /// Filters, the channels of the output.
    pub count: usize,
    /// Pixels k along each side.
    pub size: usize,
    /// Pixels s from one place to the next.
    pub stride: usize,
}

/// One convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub input: Image,
    pub output: Image,
    pub filters: Filters,
    /// Blocks r that a filter covers along each side.
    pub reach: usize,
}

impl Layer {
    /// Nothing where there are no filters or they do not fit into the input.
    pub fn new(input: Image, filters: Filters) -> Option<Self> {
        let Filters { count, size, stride } = filters;
        if count == 0 || size == 0 || stride == 0 || input.is_empty() {
            return None;
        }
        let along = |extent: usize| Some(extent.checked_sub(size)? / stride + 1);
        let output = Image { channels: count, height: along(input.height)?, width: along(input.width)? };
        Some(Self { input, output, filters, reach: size.div_ceil(stride) })
    }

    /// Scalars of a block.
    pub fn block(&self) -> usize {
        self.filters.stride * self.filters.stride * self.input.channels
    }

    /// Rows of blocks in an image.
    pub fn rows(&self) -> usize {
        self.output.height + self.reach - 1
    }

    /// Blocks in a row.
    pub fn columns(&self) -> usize {
        self.output.width + self.reach - 1
    }

    /// Blocks of an image. The output is laid out on the same grid, so that the last r − 1 rows and columns of it are
    /// of no image's.
    pub fn blocks(&self) -> usize {
        self.rows() * self.columns()
    }

    /// Places on the grid from the first to the last output of `images` images.
    pub fn places(&self, images: usize) -> usize {
        images * self.blocks() - (self.reach - 1) * (self.columns() + 1)
    }

    /// Rows and columns of input pixels that lie in a block.
    pub fn covered(&self) -> (usize, usize) {
        let stride = self.filters.stride;
        (self.input.height.min(self.rows() * stride), self.input.width.min(self.columns() * stride))
    }

    /// Some blocks lie partly outside of the image.
    pub fn has_margin(&self) -> bool {
        let stride = self.filters.stride;
        self.covered() != (self.rows() * stride, self.columns() * stride)
    }

    /// Scalars of an image's blocks.
    pub fn blocks_len(&self) -> usize {
        self.blocks() * self.block()
    }

    /// Scalars of an image's output on the grid.
    pub fn grid_len(&self) -> usize {
        self.blocks() * self.filters.count
    }

    /// Where the channels of pixel (y, x) lie among the blocks of an image.
    pub fn place(&self, y: usize, x: usize) -> usize {
        let stride = self.filters.stride;
        let block = y / stride * self.columns() + x / stride;
        block * self.block() + (y % stride * stride + x % stride) * self.input.channels
    }

    /// Scalars of weights, without biases.
    pub fn weights(&self) -> usize {
        self.filters.count * self.input.channels * self.filters.size * self.filters.size
    }

    /// Scalars of all parameters.
    pub fn parameters(&self) -> usize {
        self.weights() + self.filters.count
    }
}
