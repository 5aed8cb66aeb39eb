// Operands of a sequence of a layer with fast weights whose energy is measured.

struct SynapseMeasured {
    Operands sequence;
    EnergyOperands energy;
};
