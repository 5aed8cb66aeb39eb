// The energy of units, Σ |G| z²: sequences and rollouts measure it in the same way.

STPN_DEVICE bool measured_at(const EnergyOperands& e, int t, int env) {
    return e.energy && env < e.batch && t >= e.first && (t - e.first) % e.every == 0;
}

// z² of an input or an activity, as it counts.
STPN_DEVICE Real masked_square(const EnergyOperands& e, int at, Real z) {
    if (e.mask && at < spec.input) z *= e.mask[at];
    return z * z;
}

STPN_DEVICE void keep_energy(const EnergyOperands& e, int t, int env, int unit, Real energy) {
    if (!measured_at(e, t, env)) return;
    const long long sample = (t - e.first) / e.every;
    e.energy[(sample * e.batch + env) * spec.hidden + unit] = energy;
}
