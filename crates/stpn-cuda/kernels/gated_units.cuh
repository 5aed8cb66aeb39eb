// What a unit of LSTM, GRU or RNN does with its pre-activations, and back.

// Pre-activations i, f, g, o become gates, c is that after the step; returns the activity.
STPN_DEVICE Real lstm_unit(Real (&gates)[4], Real& c) {
    gates[0] = logistic(gates[0]);
    gates[1] = logistic(gates[1]);
    gates[2] = tangent(gates[2]);
    gates[3] = logistic(gates[3]);
    c = fused(gates[1], c, gates[0] * gates[2]);
    return gates[3] * tangent(c);
}

// From the gradients of activity and c after the step: those of the pre-activations, and in `grad_c` that of c before.
STPN_DEVICE void lstm_unit_back(const Real (&gates)[4], Real c, Real grad_h, Real& grad_c, Real (&grads)[4]) {
    const Real squashed = tangent(fused(gates[1], c, gates[0] * gates[2]));
    const Real grad = fused(grad_h * gates[3], tangent_slope(squashed), grad_c);
    grads[0] = grad * gates[2] * logistic_slope(gates[0]);
    grads[1] = grad * c * logistic_slope(gates[1]);
    grads[2] = grad * gates[0] * tangent_slope(gates[2]);
    grads[3] = grad_h * squashed * logistic_slope(gates[3]);
    grad_c = grad * gates[1];
}

// Pre-activations r, z and n from inputs become gates, n from activities stays; returns the activity after the step.
STPN_DEVICE Real gru_unit(Real (&gates)[4], Real before) {
    gates[0] = logistic(gates[0]);
    gates[1] = logistic(gates[1]);
    gates[2] = tangent(fused(gates[0], gates[3], gates[2]));
    // (1 − z) n + z h
    return fused(gates[1], before - gates[2], gates[2]);
}

// From the gradient of the activity after the step: those of the pre-activations; returns what goes straight to the
// activity before.
STPN_DEVICE Real gru_unit_back(const Real (&gates)[4], Real before, Real grad_h, Real (&grads)[4]) {
    const Real straight = grad_h * gates[1];
    grads[2] = (grad_h - straight) * tangent_slope(gates[2]);
    grads[0] = grads[2] * gates[3] * logistic_slope(gates[0]);
    grads[1] = grad_h * (before - gates[2]) * logistic_slope(gates[1]);
    grads[3] = grads[2] * gates[0];
    return straight;
}
