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
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub input: Image,
    pub output: Image,
    pub filters: Filters,
    /// Blocks r that a filter covers along each side.
    pub reach: usize,
    /// A block holds its channels one after the other, each s×s pixels, as the images do; else its pixels one after
    /// the other, each with all channels, as a layer writes them.
    planar: bool,
    /// Where the windows of the outputs that are used begin among an image's blocks, row by row.
    pub windows: Vec<usize>,
    /// Where those outputs go, each as all channels together: among the blocks of the next layer's image, or for the
    /// last layer one after the other, as rows of [`Layer::row`] scalars.
    pub targets: Vec<usize>,
    /// Scalars of a row of outputs, a multiple of every vector.
    pub row: usize,
}

/// Scalars of every vector divide this.
pub(super) const LANES: usize = 16;

impl Layer {
    /// Layers over `input`, or the index of the first one that is empty or does not fit.
    pub fn stack(input: Image, filters: &[Filters]) -> Result<Vec<Self>, (usize, Image)> {
        let (mut image, mut layers) = (input, Vec::<Self>::with_capacity(filters.len()));
        for (index, &filters) in filters.iter().enumerate() {
            let layer = Self::new(image, filters, index == 0).ok_or((index, image))?;
            image = layer.output;
            if let Some(previous) = layers.last_mut() {
                let (rows, columns) = layer.covered();
                previous.list(rows, columns, |y, x, _| layer.place(y, x, 0));
            }
            layers.push(layer);
        }
        if let Some(last) = layers.last_mut() {
            let row = last.row;
            last.list(last.output.height, last.output.width, |_, _, number| number * row);
        }
        Ok(layers)
    }

    fn new(input: Image, filters: Filters, planar: bool) -> Option<Self> {
        let Filters { count, size, stride } = filters;
        if count == 0 || size == 0 || stride == 0 || input.is_empty() {
            return None;
        }
        let along = |extent: usize| Some(extent.checked_sub(size)? / stride + 1);
        let output = Image { channels: count, height: along(input.height)?, width: along(input.width)? };
        let (reach, row) = (size.div_ceil(stride), count.next_multiple_of(LANES));
        Some(Self { input, output, filters, reach, planar, windows: Vec::new(), targets: Vec::new(), row })
    }

    /// Notes the outputs that are used.
    fn list(&mut self, rows: usize, columns: usize, target: impl Fn(usize, usize, usize) -> usize) {
        for y in 0..rows {
            for x in 0..columns {
                self.targets.push(target(y, x, self.windows.len()));
                self.windows.push((y * self.columns() + x) * self.block());
            }
        }
    }

    /// Outputs of an image that are used.
    pub fn places(&self) -> usize {
        self.windows.len()
    }

    /// Scalars of a block.
    pub fn block(&self) -> usize {
        self.filters.stride * self.filters.stride * self.input.channels
    }

    /// Scalars of a window's row.
    pub fn inner(&self) -> usize {
        self.reach * self.block()
    }

    /// Rows of blocks in an image.
    fn rows(&self) -> usize {
        self.output.height + self.reach - 1
    }

    /// Blocks in a row.
    pub fn columns(&self) -> usize {
        self.output.width + self.reach - 1
    }

    /// Blocks of an image.
    pub fn blocks(&self) -> usize {
        self.rows() * self.columns()
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

    /// Where that channel of pixel (y, x) lies among the blocks of an image.
    pub fn place(&self, y: usize, x: usize, channel: usize) -> usize {
        let stride = self.filters.stride;
        (y / stride * self.columns() + x / stride) * self.block() + self.scalar(y % stride, x % stride, channel)
    }

    /// Where that channel of a block's pixel (y, x) lies in the block.
    pub fn scalar(&self, y: usize, x: usize, channel: usize) -> usize {
        let (stride, channels) = (self.filters.stride, self.input.channels);
        if self.planar { (channel * stride + y) * stride + x } else { (y * stride + x) * channels + channel }
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
