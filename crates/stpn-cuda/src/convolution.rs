//! Convolutions over images: y = scale · nonlinearity(filters ∗ x + b), and their gradients, as matrix products.
//! Parameters are packed as in PyTorch: filters `[F, C, k, k]`, then b `[F]`.

use crate::dense::DenseBackward;
use crate::nonlinearity::Nonlinearity;
use crate::product::{Operand, Place, Product, ProductOperands, ones_column, part_len, plain_rows};
use crate::runner::{Launch, Plain, Runner, Unit, int, long, reduce};
use crate::spec::GENERAL_THREADS;
use crate::{Error, Real, Result};

/// Elements of the gradients of windows that lie in memory at once.
pub(crate) const WINDOWS_LEN: usize = 1 << 26;

/// A layer of k×k filters, without padding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convolution {
    /// Channels C of what goes in.
    pub channels: usize,
    /// Rows of pixels of what goes in.
    pub height: usize,
    /// Columns of pixels of what goes in.
    pub width: usize,
    /// Filters F.
    pub filters: usize,
    /// Side k of a filter.
    pub size: usize,
    /// Pixels from filter to filter.
    pub stride: usize,
    /// What follows.
    pub nonlinearity: Nonlinearity,
    /// What the activity is multiplied by, above 0.
    pub scale: f64,
}

impl Convolution {
    /// Numbers of an image that goes in.
    pub fn input(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Numbers that come out for an image.
    pub fn output(&self) -> usize {
        self.filters * self.pixels()
    }

    /// Number of packed parameters.
    pub fn parameters(&self) -> usize {
        self.filters * (self.window() + 1)
    }

    /// Refuses what has no output.
    pub(crate) fn check(&self) -> Result<()> {
        let sound = self.channels > 0
            && self.filters > 0
            && self.stride > 0
            && (1..=self.height.min(self.width)).contains(&self.size)
            && self.scale.is_finite()
            && self.scale > 0.0;
        if sound { Ok(()) } else { Err(Error::Layer { problem: format!("an impossible convolution: {self:?}") }) }
    }

    fn along(&self, extent: usize) -> usize {
        (extent - self.size) / self.stride + 1
    }

    /// Pixels of what comes out.
    pub(crate) fn pixels(&self) -> usize {
        self.along(self.height) * self.along(self.width)
    }

    /// Elements of a filter.
    fn window(&self) -> usize {
        self.channels * self.size * self.size
    }

    fn raw(&self) -> RawConvolution {
        RawConvolution {
            channels: int(self.channels),
            height: int(self.height),
            width: int(self.width),
            filters: int(self.filters),
            size: int(self.size),
            stride: int(self.stride),
            rows: int(self.along(self.height)),
            columns: int(self.along(self.width)),
        }
    }

    /// Starts one of its products.
    fn launch<T: Real, R: Runner<T>>(&self, runner: &R, product: &Product, pass: Pass) -> Result<()> {
        let operands = WindowOperands { product: product.operands(), layer: self.raw(), pass: pass as i32 };
        runner.launch(product.place::<T>("convolution"), &operands)
    }
}

/// A product of a convolution.
#[derive(Clone, Copy, Debug)]
enum Pass {
    Forward = 0,
    Filters = 1,
    Windows = 2,
}

/// `Convolution` of `kernels/convolution_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct RawConvolution {
    channels: i32,
    height: i32,
    width: i32,
    filters: i32,
    size: i32,
    stride: i32,
    rows: i32,
    columns: i32,
}

/// `WindowOperands` of that file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct WindowOperands {
    product: ProductOperands,
    layer: RawConvolution,
    pass: i32,
}

/// `OverlapOperands` of that file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct OverlapOperands {
    layer: RawConvolution,
    images: i32,
    windows: u64,
    grad_x: u64,
    first: i64,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for WindowOperands {}
// SAFETY: the same.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for OverlapOperands {}

/// x `[N, C, H, W]` to y `[N, F, H', W']`.
pub(crate) fn forward<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Convolution,
    images: usize,
    parameters: &R::Array,
    x: &R::Array,
) -> Result<R::Array> {
    let y = runner.reserve(images * layer.output())?;
    let packed = runner.address(parameters);
    let (pixels, window) = (images * layer.pixels(), layer.window());
    let product = Product {
        bias: Some((packed, layer.filters * window)),
        nonlinearity: layer.nonlinearity,
        scale: layer.scale,
        ..Product::new(
            [pixels, layer.filters, window],
            // Where windows and pixels lie, the kernel knows.
            Operand { values: runner.address(x), place: plain_rows(window) },
            Operand { values: packed, place: plain_rows(window).transposed() },
            Operand { values: runner.address(&y), place: plain_rows(layer.filters) },
        )
    };
    layer.launch(runner, &product, Pass::Forward)?;
    Ok(y)
}

/// From the gradient of y, with the x and y of [`forward`]. At most `room` elements of the gradients of windows lie in
/// memory at once, but at least those of one image.
pub(crate) fn backward<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Convolution,
    images: usize,
    [parameters, x, y, grad_y]: [&R::Array; 4],
    to_inputs: bool,
    room: usize,
) -> Result<DenseBackward<R::Array>> {
    let (pixels, window, filters) = (layer.pixels(), layer.window(), layer.filters);
    let grad_y = runner.address(grad_y);
    let linear = layer.nonlinearity == Nonlinearity::Linear && layer.scale == 1.0;
    let activity = Some(runner.address(y)).filter(|_| !linear);
    let of_layer =
        |product: Product| Product { nonlinearity: layer.nonlinearity, activity, scale: layer.scale, ..product };

    let part = part_len(images * pixels);
    let parts = (images * pixels).div_ceil(part);
    let partials = runner.reserve(parts * layer.parameters())?;
    let of_filters = Product {
        part,
        out_part: layer.parameters(),
        ..of_layer(Product::new(
            [filters, window, images * pixels],
            Operand { values: grad_y, place: plain_rows(filters) },
            Operand { values: runner.address(x), place: plain_rows(window) },
            Operand { values: runner.address(&partials), place: plain_rows(window) },
        ))
    };
    layer.launch(runner, &ones_column(of_filters, Some(filters * window)), Pass::Filters)?;
    let gradient = reduce(runner, Unit::General, partials, parts, layer.parameters())?;

    let mut grad_x = None;
    if to_inputs {
        let to = grad_x.insert(runner.reserve(images * layer.input())?);
        let most = (room / (pixels * window)).clamp(1, images);
        let windows = runner.reserve(most * pixels * window)?;
        for first in (0..images).step_by(most) {
            let images = most.min(images - first);
            let of_windows = of_layer(Product::new(
                [images * pixels, window, filters],
                Operand { values: grad_y, place: Place { first: first * layer.output(), ..plain_rows(filters) } },
                Operand { values: runner.address(parameters), place: plain_rows(window) },
                Operand { values: runner.address(&windows), place: plain_rows(window) },
            ));
            layer.launch(runner, &of_windows, Pass::Windows)?;
            let operands = OverlapOperands {
                layer: layer.raw(),
                images: int(images),
                windows: runner.address(&windows),
                grad_x: runner.address(to),
                first: long(first * layer.input()),
            };
            let blocks = (images * layer.input()).div_ceil(GENERAL_THREADS);
            runner.launch(Launch { unit: Unit::General, kernel: "overlap", blocks, shared: 0 }, &operands)?;
        }
    }
    Ok(DenseBackward { parameters: gradient, x: grad_x })
}
