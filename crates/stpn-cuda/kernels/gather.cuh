// Some columns of an array: the training sequences of a minibatch, out of a rollout. Bits are only copied.

template <class Item> STPN_DEVICE void gather(const GatherOperands<Item>& g) {
    const long long at = (long long)block_index() * PRODUCT_THREADS + thread_index();
    if (at >= g.len) return;
    const long long place = at / g.width, row = place / g.count, column = g.columns[place % g.count];
    g.to[at] = g.from[(row * g.of + column) * g.width + at % g.width];
}

STPN_GENERAL_KERNEL gather_numbers(GatherOperands<Real> g) { gather(g); }
STPN_GENERAL_KERNEL gather_words(GatherOperands<unsigned int> g) { gather(g); }
STPN_GENERAL_KERNEL gather_bytes(GatherOperands<unsigned char> g) { gather(g); }
