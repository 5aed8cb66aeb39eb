// Where energy is measured in a pass over steps and environments, and where it goes.

struct EnergyOperands {
    int first, every;          // it is measured at these steps
    int batch;                 // of so many environments, the first ones
    Global<const Real> mask;   // [I]; null: all inputs count
    Global<Real> energy;       // [samples, batch, H]; null: not measured
};
