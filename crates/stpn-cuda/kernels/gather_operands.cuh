// Operands of some columns of an array [rows, of, width] as another one, [rows, count, width].

template <class Item> struct GatherOperands {
    long long len;                       // of what is written
    int of, count, width;
    Global<const unsigned int> columns;  // [count]
    Global<const Item> from;
    Global<Item> to;
};
