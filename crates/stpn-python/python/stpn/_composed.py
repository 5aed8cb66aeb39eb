"""Every cell in operations of PyTorch: on any device, and for options without a fused kernel.

The equations are those of the composed path in Rust (crates/stpn-core/src/cells), by which both paths are tested.
"""

import torch
from torch.nn import functional

NORM_EPSILON = 1e-16


def sequence(options, parameters, layout, x, fields, resets):
    """Activities `[T, B, H]` and the final fields of the state, from x `[T, B, I]`."""
    step = STEPS[options["name"]]
    state = dict(zip((name for name, _ in layout), fields))
    outputs = []
    for t in range(x.shape[0]):
        if resets is not None:
            starts = resets[t].bool()
            state = {name: _zeroed(field, starts) for name, field in state.items()}
        hidden, state = step(options, parameters, x[t], state)
        outputs.append(hidden)
    return torch.stack(outputs), list(state.values())


def _zeroed(field, starts):
    return torch.where(starts.reshape(-1, *[1] * (field.dim() - 1)), torch.zeros_like(field), field)


def _outer(left, right):
    return left.unsqueeze(2) * right.unsqueeze(1)


def _times(matrices, vectors):
    """[B, H, D] · [B, D] = [B, H]"""
    return torch.matmul(matrices, vectors.unsqueeze(2)).squeeze(2)


def _normalized(values, parameters, on):
    if not on:
        return values
    weight, bias = parameters["layer_norm.weight"], parameters["layer_norm.bias"]
    # A plain number: one that is written down as an operation (ONNX) is refused.
    return functional.layer_norm(values, [int(values.shape[-1])], weight, bias, 1e-5)


def _row_norm(rows):
    """`[B, H, 1]`; the gradient of an all-zero row is zero."""
    squares = rows.square().sum(-1, keepdim=True)
    zero = squares == 0
    root = torch.where(zero, torch.ones_like(squares), squares).sqrt()
    return torch.where(zero, torch.zeros_like(root), root) + NORM_EPSILON


def _clamped(values, bound):
    """Within ±bound; the gradient passes within the bounds, and on them."""
    with torch.no_grad():
        inside, limited = values.abs() <= bound, values.clamp(-bound, bound)
    return torch.where(inside, values, limited)


def _stpn(options, parameters, x, state):
    weight, fast = parameters["weight"], state["F"]
    recurrent, units = options["recurrent"], weight.shape[0]
    z = torch.cat([x, state["h"]], 1) if recurrent else x
    start, width = {
        "all": (0, weight.shape[1]),
        "input": (0, x.shape[1]),
        "recurrent": (x.shape[1], units),
    }[options["plastic"]]

    def effective(fast):
        return weight + functional.pad(fast, (start, weight.shape[1] - start - width))

    full = effective(fast)
    pre = _times(full, z)
    norm = _row_norm(full)
    if options["normalize_forward"]:
        pre = pre / norm.squeeze(2)
    if options["bias"]:
        pre = pre + parameters["bias"]
    if options["plastic_bias"]:
        pre = pre + state["bias_F"]
    hidden = torch.tanh(_normalized(pre, parameters, options["layer_norm"]))

    own = options["norm_of"] == "F"
    before = fast
    if options["normalize_state"] == "before":
        before = fast / (_row_norm(fast) if own else norm)
    source = z[:, start : start + width].unsqueeze(1)
    if options["rule"] == "oja":
        source = source - torch.matmul(hidden.unsqueeze(1), before)
    change = hidden.unsqueeze(2) * source * parameters["gamma"]
    if options["decay"] == "old":
        after = before * parameters["lambda"] + change
    else:
        after = (before + change) * parameters["lambda"]
    if options.get("clamp") is not None:
        after = _clamped(after, options["clamp"])
    if options["normalize_state"] == "after":
        after = after / _row_norm(after if own else effective(after))
    fields = {"h": hidden} if recurrent else {}
    fields["F"] = after
    if options["plastic_bias"]:
        fields["bias_F"] = state["bias_F"] * parameters["bias_lambda"] + hidden * parameters["bias_gamma"]
    return hidden, fields


def _hebbff(options, parameters, x, state):
    fast = state["F"]
    hidden = torch.sigmoid(_times(fast + parameters["weight"], x) + parameters["bias"])
    decayed = fast * torch.sigmoid(parameters["lambda_raw"])
    return hidden, {"F": decayed - _outer(hidden, x) * parameters["gamma_raw"].exp()}


def _fast_weights(options, parameters, x, state):
    activity = state["h"]

    def activated(pre):
        return torch.tanh(_normalized(pre, parameters, options["layer_norm"]))

    fast = state["F"] * options["decay"] + _outer(activity, activity) * options["rate"]
    slow = functional.linear(torch.cat([x, activity], 1), parameters["weight"], parameters["bias"])
    hidden = activated(slow)
    for _ in range(options["inner_steps"]):
        hidden = activated(slow + _times(fast, hidden))
    return hidden, {"h": hidden, "F": fast}


def _backpropamine(options, parameters, x, state):
    activity, fast, modulation = state["h"], state["F"], options["modulation"]
    from_input = functional.linear(x, parameters["weight_ih"], parameters["bias"])
    hidden = torch.tanh(from_input + _times(parameters["weight_hh"] + parameters["alpha"] * fast, activity))
    hebbian = _outer(hidden, activity)
    if modulation == "constant":
        rate = parameters["eta"]
    else:
        rate = torch.tanh(functional.linear(hidden, parameters["modulator.weight"], parameters["modulator.bias"]))
        rate = rate.unsqueeze(2)
    fields = {"h": hidden}
    if modulation == "retroactive":
        trace = state["trace"]
        fields["F"] = _bounded(options, fast, rate, trace)
        fields["trace"] = trace + (hebbian - trace) * parameters["eta"]
    else:
        fields["F"] = _bounded(options, fast, rate, hebbian)
    return hidden, fields


def _bounded(options, fast, rate, term):
    change = term * rate
    if options["bound"] == "hard-clamp":
        return _clamped(fast + change, 1.0)
    if options["bound"] == "soft-clamp":
        limit = 0.99999 if options["modulation"] == "retroactive" else 1.0
        return _clamped(fast + change - change.abs() * fast, limit)
    if options["bound"] == "additive":
        return fast + change
    return fast - fast * rate + change


def _lstm(options, parameters, x, state):
    if options["split"]:
        pre = functional.linear(x, parameters["weight_ih"], parameters["bias_ih"])
        pre = pre + functional.linear(state["h"], parameters["weight_hh"], parameters["bias_hh"])
    else:
        pre = functional.linear(torch.cat([x, state["h"]], 1), parameters["weight"], parameters["bias"])
    i, f, g, o = _normalized(pre, parameters, options["layer_norm"]).chunk(4, 1)
    memory = torch.sigmoid(f) * state["c"] + torch.sigmoid(i) * torch.tanh(g)
    hidden = torch.sigmoid(o) * torch.tanh(memory)
    return hidden, {"h": hidden, "c": memory}


def _gru(options, parameters, x, state):
    from_input = functional.linear(x, parameters["weight_ih"], parameters["bias_ih"]).chunk(3, 1)
    from_units = functional.linear(state["h"], parameters["weight_hh"], parameters["bias_hh"]).chunk(3, 1)
    reset, update = (torch.sigmoid(a + b) for a, b in zip(from_input[:2], from_units[:2]))
    new = torch.tanh(from_input[2] + reset * from_units[2])
    hidden = new + update * (state["h"] - new)
    return hidden, {"h": hidden}


def _rnn(options, parameters, x, state):
    if options["split"]:
        pre = functional.linear(x, parameters["weight_ih"]) + functional.linear(state["h"], parameters["weight_hh"])
    else:
        pre = torch.cat([x, state["h"]], 1) @ parameters["weight"]
    hidden = torch.tanh(pre + parameters["bias"])
    return hidden, {"h": hidden}


def _linear_recurrent(options, parameters, x, state):
    def of_input(name):
        return functional.linear(x, parameters[name])

    radius, phase = torch.exp(-parameters["nu_log"].exp()), parameters["theta_log"].exp()
    a, b, gain = radius * torch.cos(phase), radius * torch.sin(phase), parameters["gamma_log"].exp()
    re = a * state["re"] - b * state["im"] + gain * of_input("input_re")
    im = a * state["im"] + b * state["re"] + gain * of_input("input_im")
    pre = functional.linear(re, parameters["output_re"]) - functional.linear(im, parameters["output_im"])
    hidden = torch.tanh(pre + of_input("skip") + parameters["bias"])
    return hidden, {"re": re, "im": im}


def _unit(vectors):
    """`[B, H]` of length one, or nearly; a zero vector stays one, with a finite gradient."""
    return vectors / (vectors.square().sum(1, keepdim=True) + 1e-6).sqrt()


def _linear_attention(options, parameters, x, state):
    units = (int(parameters["weight"].shape[0]) - 2) // 4
    rows = functional.linear(x, parameters["weight"], parameters["bias"])
    query, key, value, direct, write, keep = torch.split(rows, [units] * 4 + [1, 1], 1)
    query, key = _unit(query), _unit(key)
    # σ(keep)^(1/16), written so that the gradient is finite where the logistic function rounds to zero.
    kept = state["F"] * (functional.logsigmoid(keep) / 16).exp().unsqueeze(2)
    error = value - _times(kept, key) if options["rule"] == "delta" else value
    fast = kept + _outer(torch.sigmoid(write) * error, key)
    return torch.tanh(_times(fast, query) + direct), {"F": fast}


def _frame_stack(options, parameters, x, state):
    seen, fields = [x], {}
    if "inputs" in state:
        before = state["inputs"]
        seen.append(before.flatten(1))
        fields["inputs"] = torch.cat([x.unsqueeze(1), before[:, :-1]], 1)
    if "time" in state:
        time, features = state["time"], options["position"]
        for pair in range(features // 2):
            phase = time * 10_000.0 ** (-2 * pair / features)
            seen += [torch.sin(phase), torch.cos(phase)]
        fields["time"] = time + 1
    return torch.tanh(functional.linear(torch.cat(seen, 1), parameters["weight"], parameters["bias"])), fields


def _mlp(options, parameters, x, state):
    pre = functional.linear(x, parameters["weight"], parameters["bias"])
    return (torch.tanh(pre) if options["activation"] == "tanh" else torch.relu(pre)), {}


STEPS = {
    "stpn": _stpn,
    "hebbff": _hebbff,
    "fast-weights": _fast_weights,
    "backpropamine": _backpropamine,
    "lstm": _lstm,
    "gru": _gru,
    "rnn": _rnn,
    "linear-recurrent": _linear_recurrent,
    "linear-attention": _linear_attention,
    "frame-stack": _frame_stack,
    "mlp": _mlp,
}
