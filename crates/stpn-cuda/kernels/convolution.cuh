// Convolutions as products: windows are read where they lie in the images and are never copied; only their gradients are.

// Where elements lie in one of the three products of a convolution.
struct Windows {
    const WindowOperands& w;
    STPN_DEVICE explicit Windows(const WindowOperands& w_) : w(w_) {}

    // Element `at` of the filters, in the window of a pixel of what comes out.
    STPN_DEVICE long long window(int pixel, int at) const {
        const Convolution& c = w.layer;
        const int pixels = c.rows * c.columns, image = pixel / pixels, own = pixel % pixels;
        const int plane = c.size * c.size, channel = at / plane, part = at % plane;
        const int y = own / c.columns * c.stride + part / c.size, x = own % c.columns * c.stride + part % c.size;
        return (((long long)image * c.channels + channel) * c.height + y) * c.width + x;
    }
    // A filter's value of a pixel.
    STPN_DEVICE long long value(int pixel, int filter) const {
        const int pixels = w.layer.rows * w.layer.columns;
        return ((long long)(pixel / pixels) * w.layer.filters + filter) * pixels + pixel % pixels;
    }

    STPN_DEVICE long long left(int row, long long term) const {
        if (w.pass == 0) return w.product.left.first + window(row, int(term));
        return w.product.left.first + (w.pass == 1 ? value(int(term), row) : value(row, int(term)));
    }
    STPN_DEVICE long long right(long long term, int column) const {
        if (w.pass == 1) return window(int(term), column);
        return term * w.product.right.by_row + column * w.product.right.by_column;
    }
    STPN_DEVICE long long out(int row, int column) const {
        if (w.pass == 0) return value(row, column);
        return row * w.product.out_by_row + column * w.product.out_by_column;
    }
    // Neighbouring pixels lie side by side in what comes out, and in part in the images.
    STPN_DEVICE bool left_along_terms() const { return w.pass == 1; }
    STPN_DEVICE bool right_along_terms() const { return w.pass != 2; }
};

STPN_GENERAL_KERNEL convolution(WindowOperands w) {
    const Windows places(w);
    tiled_product(w.product, places);
}

// One thread for each element of the images.
STPN_GENERAL_KERNEL overlap(OverlapOperands a) {
    const Convolution& c = a.layer;
    const long long at = (long long)block_index() * PRODUCT_THREADS + thread_index();
    if (at >= (long long)a.images * c.channels * c.height * c.width) return;
    const int x = int(at % c.width), y = int(at / c.width % c.height);
    const long long plane = at / c.width / c.height;
    const int channel = int(plane % c.channels);
    const long long image = plane / c.channels;
    Real sum = 0;
    for (int part_y = 0; part_y < c.size; ++part_y) {
        const int row = y - part_y;
        if (row < 0 || row % c.stride || row / c.stride >= c.rows) continue;
        for (int part_x = 0; part_x < c.size; ++part_x) {
            const int column = x - part_x;
            if (column < 0 || column % c.stride || column / c.stride >= c.columns) continue;
            const long long pixel = (image * c.rows + row / c.stride) * c.columns + column / c.stride;
            const int element = (channel * c.size + part_y) * c.size + part_x;
            sum += a.windows[pixel * (c.channels * c.size * c.size) + element];
        }
    }
    a.grad_x[a.first + at] = sum;
}
