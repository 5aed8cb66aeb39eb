#!/usr/bin/env python3
"""Records golden cases, for the tests of stpn-core, of the cells that have no recorded case of a published program: the
linear recurrent unit, the delta rule, linear attention and the stack of frames.

    pip install numpy safetensors && python3 scripts/record_reference_cells.py

Writes linear-recurrent, delta-rule, linear-attention and frame-stack (.json and .safetensors) to
crates/stpn-core/tests/golden. The equations are written down for numpy, in double precision and independently of the
cells in Rust. Gradients are complex steps, f'(v) = Im f(v + iε) / ε, which lose no digit to a difference. They are
checked by finite differences, and the activities by the same cells in another form: the unit as a recurrence of complex
numbers, the rules of F as products of matrices, the stack as a sum over its frames.

The loss is the sum of loss_w.h ⊙ h² over all steps, and of loss_w.state.NAME ⊙ NAME² after the last one.
"""

import json
import pathlib

import numpy as np
from safetensors.numpy import save

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "crates/stpn-core/tests/golden"
INPUT, HIDDEN, BATCH, STEPS = 5, 7, 3, 6
SIZES = {"input": INPUT, "hidden": HIDDEN, "batch": BATCH, "steps": STEPS}

# The square of it is below what double precision can tell from 1: the step leaves the real part as it is.
COMPLEX_STEP = 1e-30
REAL_STEP = 1e-5
# Of the largest element of a gradient.
DIFFERENCE = 1e-7
# Of activities and states by the other form.
OTHER_FORM = 1e-13


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def of_each(matrix, vectors):
    """[R, C] · [B, C] = [B, R]"""
    return np.einsum("rc,bc->br", matrix, vectors)


class LinearRecurrent:
    """The linear recurrent unit of Orvieto et al. (2023), real and imaginary part apart, with a tanh behind it."""

    description = {
        "cell": "linear-recurrent",
        "note": "r = exp(-exp(nu_log)), a + ib = r exp(i exp(theta_log)), g = exp(gamma_log); "
        "re' = a re - b im + g (input_re x), im' = a im + b re + g (input_im x); "
        "h' = tanh(output_re re' - output_im im' + skip x + bias)",
    }

    @staticmethod
    def parameters(random):
        # From radii that forget within a step or two to those that last, at all phases.
        radius = random.uniform(0.3, 0.99, HIDDEN)
        phase = random.uniform(0.05, 2 * np.pi, HIDDEN)
        return {
            "nu_log": np.log(-np.log(radius)),
            "theta_log": np.log(phase),
            "gamma_log": 0.5 * np.log(1 - radius**2) + 0.2 * random.standard_normal(HIDDEN),
            "input_re": random.standard_normal((HIDDEN, INPUT)) / np.sqrt(2 * INPUT),
            "input_im": random.standard_normal((HIDDEN, INPUT)) / np.sqrt(2 * INPUT),
            "output_re": random.standard_normal((HIDDEN, HIDDEN)) / np.sqrt(HIDDEN),
            "output_im": random.standard_normal((HIDDEN, HIDDEN)) / np.sqrt(HIDDEN),
            "skip": random.uniform(-1, 1, (HIDDEN, INPUT)) / np.sqrt(INPUT),
            "bias": random.uniform(-1, 1, HIDDEN) / np.sqrt(INPUT),
        }

    @staticmethod
    def state(random):
        return {name: 0.5 * random.standard_normal((BATCH, HIDDEN)) for name in ("re", "im")}

    @staticmethod
    def step(p, x, state):
        radius, phase = np.exp(-np.exp(p["nu_log"])), np.exp(p["theta_log"])
        a, b, g = radius * np.cos(phase), radius * np.sin(phase), np.exp(p["gamma_log"])
        re = a * state["re"] - b * state["im"] + g * of_each(p["input_re"], x)
        im = a * state["im"] + b * state["re"] + g * of_each(p["input_im"], x)
        pre = of_each(p["output_re"], re) - of_each(p["output_im"], im) + of_each(p["skip"], x) + p["bias"]
        return np.tanh(pre), {"re": re, "im": im}

    @staticmethod
    def other_form(p, x, state):
        """s' = λ ⊙ s + g ⊙ (B x); h' = tanh(Re(C s') + D x + bias), in complex numbers."""
        decay = np.exp(-np.exp(p["nu_log"]) + 1j * np.exp(p["theta_log"]))
        into, out = p["input_re"] + 1j * p["input_im"], p["output_re"] + 1j * p["output_im"]
        s = decay * (state["re"] + 1j * state["im"]) + np.exp(p["gamma_log"]) * (x @ into.T)
        return np.tanh((s @ out.T).real + x @ p["skip"].T + p["bias"]), {"re": s.real, "im": s.imag}


class LinearAttention:
    """Gated linear attention (Yang et al. 2024) and the gated delta rule (Schlag et al. 2021, Yang et al. 2025)."""

    def __init__(self, rule):
        self.rule = rule
        error = {"delta": "beta (v - alpha F k^)", "hebbian": "beta v"}[rule]
        self.description = {
            "cell": "linear-attention",
            "rule": rule,
            "note": "rows of weight and bias: q k v s (H each), beta, alpha; q^ = q / sqrt(q.q + 1e-6), k^ likewise; "
            f"beta = sigmoid, alpha = sigmoid^(1/16); F' = alpha F + {error} (outer) k^; h' = tanh(F' q^ + s)",
        }

    @staticmethod
    def parameters(random):
        rows = 4 * HIDDEN + 2
        return {
            "weight": random.standard_normal((rows, INPUT)) / np.sqrt(INPUT),
            "bias": 0.5 * random.standard_normal(rows),
        }

    @staticmethod
    def state(random):
        return {"F": 0.5 * random.standard_normal((BATCH, HIDDEN, HIDDEN))}

    @staticmethod
    def projected(p, x):
        """q̂, k̂, v and s [B, H], β and α [B, 1]."""
        rows = of_each(p["weight"], x) + p["bias"]
        q, k, v, s, write, keep = np.split(rows, np.cumsum([HIDDEN, HIDDEN, HIDDEN, HIDDEN, 1]), axis=1)
        # Sums of squares without the absolute value, so that a complex step passes.
        q, k = (u / np.sqrt((u * u).sum(1, keepdims=True) + 1e-6) for u in (q, k))
        return q, k, v, s, sigmoid(write), sigmoid(keep) ** (1 / 16)

    def step(self, p, x, state):
        q, k, v, s, write, keep = self.projected(p, x)
        kept = keep[:, :, None] * state["F"]
        error = write * (v - np.einsum("bij,bj->bi", kept, k) if self.rule == "delta" else v)
        fast = kept + np.einsum("bi,bj->bij", error, k)
        return np.tanh(np.einsum("bij,bj->bi", fast, q) + s), {"F": fast}

    def other_form(self, p, x, state):
        """F' = α F (1 − β k̂ k̂ᵀ) + β v k̂ᵀ, or α F + β v k̂ᵀ, one element of the batch after the other."""
        outputs, after = [], []
        for q, k, v, s, write, keep, fast in zip(*self.projected(p, x), state["F"]):
            erased = np.eye(HIDDEN) - write * np.outer(k, k) if self.rule == "delta" else np.eye(HIDDEN)
            after.append(keep * fast @ erased + write * np.outer(v, k))
            outputs.append(np.tanh(after[-1] @ q + s))
        return np.stack(outputs), {"F": np.stack(after)}


class FrameStack:
    """The last inputs as they were (Mnih et al. 2015), and sines and cosines of the time (Vaswani et al. 2017)."""

    def __init__(self, frames, position):
        self.past = frames - 1
        self.turns = 10000.0 ** (-np.arange(0, position, 2) / position)
        self.width = frames * INPUT + position
        self.description = {
            "cell": "frame-stack",
            "frames": frames,
            "position": position,
            "note": "h' = tanh(weight [x; inputs, the latest first; sin w_0 t; cos w_0 t; sin w_1 t; ...] + bias), "
            "w_i = 10000^(-2i / position); inputs' = [x; inputs without the last], t' = t + 1",
        }

    def parameters(self, random):
        return {
            "weight": random.standard_normal((HIDDEN, self.width)) / np.sqrt(self.width),
            "bias": random.uniform(-1, 1, HIDDEN) / np.sqrt(INPUT),
        }

    def state(self, random):
        # Times are no whole numbers, and not all the same: each element has its own phase.
        return {
            "inputs": random.standard_normal((BATCH, self.past, INPUT)),
            "time": random.uniform(0.5, 3, (BATCH, 1)),
        }

    def step(self, p, x, state):
        frames = np.concatenate([x[:, None], state["inputs"]], axis=1)
        angles = state["time"] * self.turns
        position = np.stack([np.sin(angles), np.cos(angles)], axis=2)
        seen = np.concatenate([frames.reshape(BATCH, -1), position.reshape(BATCH, -1)], axis=1)
        return np.tanh(of_each(p["weight"], seen) + p["bias"]), {"inputs": frames[:, :-1], "time": state["time"] + 1}

    def other_form(self, p, x, state):
        """h' = tanh(Σⱼ Wⱼ x_{t−j} + Re Σ u exp(iωt) + bias), where u is the cosine's column − i times the sine's."""
        blocks = np.split(p["weight"], INPUT * np.arange(1, self.past + 2), axis=1)
        frames = [x, *(state["inputs"][:, j] for j in range(self.past))]
        columns = blocks.pop()
        waves = np.exp(1j * state["time"] @ self.turns[None]) @ (columns[:, 1::2] - 1j * columns[:, ::2]).T
        pre = sum(frame @ block.T for frame, block in zip(frames, blocks)) + waves.real + p["bias"]
        return np.tanh(pre), {"inputs": np.stack(frames[: self.past], axis=1), "time": 1 + state["time"]}


CASES = {
    "linear-recurrent": LinearRecurrent(),
    "delta-rule": LinearAttention("delta"),
    "linear-attention": LinearAttention("hebbian"),
    "frame-stack": FrameStack(frames=3, position=4),
}


def below(prefix, tensors):
    """The tensors whose name starts with a prefix, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def sequence(step, operands):
    """Activities [T, B, H], and every field of the state after every step [T, B, …]."""
    parameters, state = below("param.", operands), below("state0.", operands)
    outputs, states = [], {name: [] for name in state}
    for x in operands["x"]:
        hidden, state = step(parameters, x, state)
        outputs.append(hidden)
        for name in states:
            states[name].append(state[name])
    return np.stack(outputs), {name: np.stack(fields) for name, fields in states.items()}


def loss(cell, operands, weights):
    hidden, states = sequence(cell.step, operands)
    ends = sum((weights[f"state.{name}"] * fields[-1] ** 2).sum() for name, fields in states.items())
    return (weights["h"] * hidden**2).sum() + ends


def gradients(cell, operands, weights):
    """Of every parameter, the initial state and x: complex steps, checked by finite differences."""

    def stepped(name, place, by):
        changed = operands[name].astype(np.result_type(operands[name], by))
        changed[place] += by
        return loss(cell, {**operands, name: changed}, weights)

    gradients = {}
    for name, values in operands.items():
        exact, near = np.zeros_like(values), np.zeros_like(values)
        for place in np.ndindex(values.shape):
            exact[place] = stepped(name, place, 1j * COMPLEX_STEP).imag / COMPLEX_STEP
            ahead, behind = (stepped(name, place, by) for by in (REAL_STEP, -REAL_STEP))
            near[place] = (ahead - behind) / (2 * REAL_STEP)
        error = abs(exact - near).max() / abs(exact).max()
        assert error < DIFFERENCE, f"{name}: finite differences are {error} from the gradient"
        gradients[name] = exact
    return gradients


def record(name, cell, seed):
    random = np.random.default_rng(seed)
    operands = {f"param.{key}": values for key, values in cell.parameters(random).items()}
    operands |= {f"state0.{key}": values for key, values in cell.state(random).items()}
    operands["x"] = random.standard_normal((STEPS, BATCH, INPUT))
    hidden, states = sequence(cell.step, operands)
    # All positive: a loss that is a small difference of large sums would not be known to single precision.
    weights = {"h": random.uniform(0.5, 1.5, hidden.shape)}
    weights |= {f"state.{key}": random.uniform(0.5, 1.5, fields[0].shape) for key, fields in states.items()}

    other, other_states = sequence(cell.other_form, operands)
    for ours, theirs in [(hidden, other), *((states[key], other_states[key]) for key in states)]:
        error = abs(ours - theirs).max()
        assert error < OTHER_FORM, f"{name}: its other form is {error} away"

    tensors = {**operands, "h": hidden, "loss": np.array([loss(cell, operands, weights)])}
    tensors |= {f"state.{key}": fields for key, fields in states.items()}
    tensors |= {f"loss_w.{key}": values for key, values in weights.items()}
    tensors |= {f"grad.{key}": values for key, values in gradients(cell, operands, weights).items()}
    (GOLDEN / f"{name}.safetensors").write_bytes(save(tensors))
    (GOLDEN / f"{name}.json").write_text(json.dumps({**cell.description, **SIZES}, indent=1))
    print(f"{name}: loss {tensors['loss'][0]:.6f}, {sum(values.size for values in operands.values())} gradients agree")


def main():
    for seed, (name, cell) in enumerate(CASES.items(), 1):
        record(name, cell, seed)


if __name__ == "__main__":
    main()
