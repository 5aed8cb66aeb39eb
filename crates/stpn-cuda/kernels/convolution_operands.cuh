// Operands of convolutions over images [N, C, H, W], which give [N, filters, pixels of a row times rows].

struct Convolution {
    int channels, height, width;   // of what goes in
    int filters, size, stride;     // size x size
    int rows, columns;             // of what comes out
};

// A product in which one matrix is made of the windows of images: row r of it is the window of pixel r of what comes out,
// over all images, column d an element of a filter.
struct WindowOperands {
    ProductOperands product;
    Convolution layer;
    int pass;                      // 0: forward; 1: gradient of the filters; 2: gradient of the windows
};

// Sums of gradients of windows where they overlap: the gradient of the images.
struct OverlapOperands {
    Convolution layer;
    int images;
    Global<const Real> windows;    // [images, pixels, channels * size * size]
    Global<Real> grad_x;           // [N, C, H, W], of which the images begin at element `first`
    long long first;
};
