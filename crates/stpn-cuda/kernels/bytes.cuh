// Bytes of images as numbers: images come to the device as bytes, a quarter of the numbers.

STPN_GENERAL_KERNEL numbers_of_bytes(BytesOperands a) {
    const long long at = (long long)block_index() * PRODUCT_THREADS + thread_index();
    if (at < a.len) a.numbers[at] = fused(Real(static_cast<int>(a.bytes[at])), a.factor, a.summand);
}
