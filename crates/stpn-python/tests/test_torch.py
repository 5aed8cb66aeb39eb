"""Layers for PyTorch: exact, with PyTorch's conventions, and the same in both paths."""

import copy
import io
import pickle
import threading
import unittest

import numpy as np
import stpn
import stpn.torch
import torch
from stpn.torch import _composed
from support import CHECKPOINTS, parameters

LAYERS = {
    "STPN": (stpn.torch.STPN, {}),
    "STPN of the maze": (stpn.torch.STPN, {"normalize_state": "after", "clamp": 1.0}),
    "STPN, all options": (
        stpn.torch.STPN,
        {"plastic_bias": True, "layer_norm": True, "decay": "all", "granularity": "presynaptic", "plastic": "input"},
    ),
    "STPN, recurrent plastic": (stpn.torch.STPN, {"plastic": "recurrent", "granularity": "scalar"}),
    "STPNf": (stpn.torch.STPNf, {}),
    "HebbFF": (stpn.torch.HebbFF, {}),
    "FastWeights": (stpn.torch.FastWeights, {"inner_steps": 2}),
    "FastWeights, plain": (stpn.torch.FastWeights, {"layer_norm": False}),
    "DifferentiablePlasticity": (stpn.torch.DifferentiablePlasticity, {}),
    "Backpropamine": (stpn.torch.Backpropamine, {}),
    "Backpropamine, hard": (stpn.torch.Backpropamine, {"bound": "hard-clamp"}),
    "Backpropamine, additive": (stpn.torch.Backpropamine, {"bound": "additive"}),
    "Backpropamine, decay": (stpn.torch.Backpropamine, {"bound": "decay"}),
    "RetroactiveBackpropamine": (stpn.torch.RetroactiveBackpropamine, {}),
    "LSTM": (stpn.torch.LSTM, {}),
    "LSTM, split": (stpn.torch.LSTM, {"split": True}),
    "LSTM, normalised": (stpn.torch.LSTM, {"layer_norm": True}),
    "GRU": (stpn.torch.GRU, {}),
    "RNN": (stpn.torch.RNN, {}),
    "RNN, split": (stpn.torch.RNN, {"split": True}),
    "LinearRecurrent": (stpn.torch.LinearRecurrent, {}),
    "LinearAttention, delta": (stpn.torch.LinearAttention, {"rule": "delta"}),
    "LinearAttention, hebbian": (stpn.torch.LinearAttention, {"rule": "hebbian"}),
    "FrameStack": (stpn.torch.FrameStack, {}),
    "FrameStack, no time": (stpn.torch.FrameStack, {"frames": 2, "position": 0}),
    "FrameStack, no past": (stpn.torch.FrameStack, {"frames": 1, "position": 2}),
    "FrameStack, neither": (stpn.torch.FrameStack, {"frames": 1, "position": 0}),
    "MLP": (stpn.torch.MLP, {}),
    "MLP, relu": (stpn.torch.MLP, {"activation": "relu"}),
}

WITHOUT_KERNEL = {
    "Oja": (stpn.torch.STPN, {"rule": "oja"}),
    "norm of F": (stpn.torch.STPN, {"norm_of": "F"}),
}


def layer(name, inputs=3, units=4, dtype=torch.float64, **more):
    """A layer of that name, always with the same parameters, not too small to be of consequence."""
    torch.manual_seed(7)
    kind, options = {**LAYERS, **WITHOUT_KERNEL}[name]
    made = kind(inputs, units, dtype=dtype, **options, **more)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return made


def operands(made, steps=5, batch=2, dtype=torch.float64):
    """x, a state that is not zero, and resets in the middle."""
    torch.manual_seed(8)
    x = torch.randn(steps, batch, made.input_size, dtype=dtype, requires_grad=True)
    zero = made.zero_state(batch)
    state = type(zero)(*((0.1 * torch.randn_like(field)).requires_grad_() for field in zero))
    resets = torch.zeros(steps, batch, dtype=torch.bool)
    resets[2, 1] = True
    return x, state, resets


def composed(made, x, state, resets):
    """The same layer in operations of PyTorch."""
    named = {name: made.get_parameter(name) for name in made._names}
    hidden, fields = _composed.sequence(made._options, named, made._fields, x, list(state), resets)
    return hidden, fields


def gradients(made, x, state, hidden, fields):
    """Of a loss that weights every result differently."""
    torch.manual_seed(9)
    loss = sum((result * torch.randn_like(result)).sum() for result in (hidden, *fields))
    return torch.autograd.grad(loss, [x, *state, *made.parameters()], allow_unused=True)


class Layers(unittest.TestCase):
    def test_a_layer_that_no_machine_has_memory_for_ended_the_process(self):
        for name, (kind, options) in LAYERS.items():
            with self.subTest(name), self.assertRaisesRegex(MemoryError, r"hidden_size 2000000: .* parameters .*iB"):
                kind(10**6, 2 * 10**6, **options)
            for inputs, units in [(1, 1), (3, 5), (17, 8), (8, 31)]:
                made = kind(inputs, units, **options)
                self.assertEqual(made._layer.foreseen(), sum(values.numel() for values in made.parameters()), name)

    def test_a_name_among_the_options_made_another_cell_than_the_layer_said(self):
        with self.assertRaisesRegex(TypeError, "name: 'lstm'; STPN is of the cell stpn"):
            stpn.torch.STPN(3, 5, name="lstm")

    def test_gradients_are_exact(self):
        for name in LAYERS:
            with self.subTest(name):
                made = layer(name)
                self.assertTrue(made._layer.fused)
                x, state, resets = operands(made, steps=3)
                parameters = list(made.parameters())

                def run(x, *rest):
                    hidden, after = made(x, rest[: len(state)], resets)
                    return (hidden, *after)

                # finite differences vary the tensors where they lie: the module sees it
                self.assertTrue(torch.autograd.gradcheck(run, (x, *state, *parameters), atol=1e-6))

    def test_both_paths_agree(self):
        for name in LAYERS:
            with self.subTest(name):
                made = layer(name)
                x, state, resets = operands(made)
                fused, plain = made(x, state, resets), composed(made, x, state, resets)
                for left, right in zip((fused[0], *fused[1]), (plain[0], *plain[1])):
                    torch.testing.assert_close(left, right, atol=1e-11, rtol=1e-10)
                for left, right in zip(gradients(made, x, state, *fused), gradients(made, x, state, *plain)):
                    if right is None:
                        self.assertTrue(left is None or not left.any())
                    else:
                        torch.testing.assert_close(left, right, atol=1e-10, rtol=1e-9)

    def test_single_precision_is_near(self):
        for name in LAYERS:
            with self.subTest(name):
                made = layer(name)
                x, state, resets = operands(made)
                exact = made(x, state, resets)[0]
                single = copy.deepcopy(made).to(torch.float32)
                near = single(x.float(), [field.float() for field in state], resets)[0]
                self.assertEqual(near.dtype, torch.float32)
                torch.testing.assert_close(near.double(), exact, atol=1e-5, rtol=1e-4)

    def test_options_without_a_kernel_run_all_the_same(self):
        for name in WITHOUT_KERNEL:
            with self.subTest(name):
                made = layer(name)
                self.assertFalse(made._layer.fused)
                x, state, resets = operands(made, steps=3)
                self.assertTrue(torch.autograd.gradcheck(lambda x, *s: made(x, s, resets)[0], (x, *state)))

    def test_steps_are_a_sequence(self):
        made = layer("STPN", dtype=torch.float32)
        x, _, _ = operands(made, dtype=torch.float32)
        with torch.no_grad():
            whole, end = made(x)
            state, outputs = None, []
            for t in range(len(x)):
                output, state = made(x[t : t + 1], state)
                outputs.append(output)
        torch.testing.assert_close(torch.cat(outputs), whole)
        torch.testing.assert_close(state, end)
        self.assertEqual(end._fields, ("h", "F"))
        torch.testing.assert_close(end.h, whole[-1])

    def test_batch_first_and_no_batch(self):
        made = layer("STPN")
        x, state, resets = operands(made)
        expected, end = made(x, state, resets)
        turned = layer("STPN", batch_first=True)
        output, after = turned(x.transpose(0, 1), state, resets.transpose(0, 1))
        torch.testing.assert_close(output.transpose(0, 1), expected)
        torch.testing.assert_close(after.F, end.F)
        for one in (made, turned):
            output, after = one(x[:, 1], [field[1] for field in state], resets[:, 1])
            torch.testing.assert_close(output, expected[:, 1])
            torch.testing.assert_close(after.F, end.F[1])

    def test_lstm_and_gru_are_pytorchs(self):
        for ours, theirs in [("LSTM, split", torch.nn.LSTM), ("GRU", torch.nn.GRU)]:
            made = layer(ours)
            torch.manual_seed(0)
            reference = theirs(3, 4, dtype=torch.float64) if ours == "GRU" else theirs(3, 4).double()
            with torch.no_grad():
                for name, parameter in made.named_parameters():
                    parameter.copy_(getattr(reference, f"{name}_l0"))
            x, _, _ = operands(made)
            torch.testing.assert_close(made(x)[0], reference(x)[0])

    def test_names_of_parameters_are_those_of_a_checkpoint(self):
        names = set(dict(layer("STPN").named_parameters()))
        self.assertEqual(names, {"weight", "bias", "lambda", "gamma"})
        names = set(layer("Backpropamine").state_dict())
        self.assertEqual(names, {"weight_ih", "bias", "weight_hh", "alpha", "modulator.weight", "modulator.bias"})
        for name in ("LinearAttention, delta", "FrameStack"):
            self.assertEqual(set(layer(name).state_dict()), {"weight", "bias"})
        matrices = {"input_re", "input_im", "output_re", "output_im", "skip"}
        names = set(layer("LinearRecurrent").state_dict())
        self.assertEqual(names, {"nu_log", "theta_log", "gamma_log", "bias", *matrices})

    def test_seeded_saved_copied_and_pickled(self):
        torch.manual_seed(3)
        first = stpn.torch.STPN(3, 4)
        torch.manual_seed(3)
        torch.testing.assert_close(first.state_dict(), stpn.torch.STPN(3, 4).state_dict())
        other = stpn.torch.STPN(3, 4)
        self.assertFalse(torch.equal(other.weight, first.weight))
        x = torch.randn(4, 2, 3)
        expected = first(x)[0]
        file = io.BytesIO()
        torch.save(first.state_dict(), file)
        file.seek(0)
        other.load_state_dict(torch.load(file))
        for twin in (other, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
            torch.testing.assert_close(twin(x)[0], expected)
        state = first(x)[1]
        torch.testing.assert_close(pickle.loads(pickle.dumps(state)).F, state.F)

    def test_gradients_come_only_where_asked_for(self):
        made = layer("STPN")
        x, _, _ = operands(made)
        with torch.no_grad():
            self.assertFalse(made(x)[0].requires_grad)
        # through the state alone, twice
        made(x)[1].F.sum().backward(retain_graph=True)
        self.assertGreater(x.grad.abs().sum(), 0)
        hidden, _ = made(x.detach())
        loss = hidden.square().sum()
        loss.backward(retain_graph=True)
        first = made.weight.grad.clone()
        made.weight.grad = None
        loss.backward()
        self.assertTrue(first.isfinite().all())

    def test_x_is_not_copied(self):
        made = layer("STPN", dtype=torch.float32)
        x = torch.randn(5, 2, 3)
        packed = torch.cat([parameter.detach().reshape(-1) for parameter in made.parameters()])
        hidden, _, tape = made._layer.forward(packed.numpy(), x.numpy(), None, torch.zeros(2, 32).numpy(), False)
        self.assertIsNone(tape)
        self.assertEqual(torch.from_numpy(hidden).data_ptr(), hidden.ctypes.data)
        self.assertEqual(x.contiguous().data_ptr(), x.numpy().ctypes.data)

    def test_results_do_not_depend_on_threads(self):
        made = layer("STPN", 6, 9, dtype=torch.float32)
        x, state, resets = operands(made, 7, 40, torch.float32)
        results = []
        try:
            for threads in (1, 3):
                stpn.set_num_threads(threads)
                hidden, after = made(x, state, resets)
                results.append((hidden, *after, *gradients(made, x, state, hidden, after)))
        finally:
            stpn.set_num_threads(0)
        for left, right in zip(*results):
            self.assertTrue(torch.equal(left, right))

    def test_several_threads_of_python_do_not_wait_for_each_other_forever(self):
        made, results = layer("STPN", dtype=torch.float32), []
        x, _, _ = operands(made, 20, 40, torch.float32)

        def work():
            for _ in range(20):
                hidden, _ = made(x.detach())
                hidden.sum().backward()
            results.append(hidden.detach())

        workers = [threading.Thread(target=work, daemon=True) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(timeout=60)
        self.assertEqual(len(results), 4)
        for result in results[1:]:
            self.assertTrue(torch.equal(result, results[0]))

    def test_a_trained_cell_remembers_in_torch_what_it_does_in_its_agent(self):
        path = CHECKPOINTS / "maze-small-stpn"
        agent = stpn.Agent.load(path)
        cell = dict(agent.config["policy"]["cell"])
        self.assertEqual(cell.pop("name"), "stpn")
        weights = parameters(next(path.glob("checkpoints/*/parameters.safetensors")))
        inputs = weights["cell.weight"].shape[1] - weights["cell.weight"].shape[0]
        made = stpn.torch.STPN(inputs, agent.config["policy"]["hidden"], dtype=torch.float32, **cell)
        made.load_state_dict({name.partition(".")[2]: of for name, of in weights.items() if name.startswith("cell.")})
        observations = np.random.default_rng(3).normal(size=(9, inputs)).astype(np.float32)
        state, memory = None, None
        for observation in observations:
            _, state = agent.predict(observation, state)
            _, memory = made(torch.from_numpy(observation).reshape(1, 1, inputs), memory)
        packed = torch.cat([field.flatten() for field in memory]).detach().numpy()
        np.testing.assert_allclose(packed, np.ravel(state), rtol=1e-5, atol=1e-6)

    def test_what_does_not_fit_is_refused(self):
        made = layer("STPN", dtype=torch.float32)
        good = torch.zeros(5, 2, 3)
        for arguments, said in [
            ((torch.zeros(5, 2, 4),), "x: [5, 2, 4]"),
            ((good.double(),), "float64"),
            ((good, (torch.zeros(2, 4),)), "state: 1"),
            ((good, (torch.zeros(2, 4), torch.zeros(1, 4, 7))), "state.F: [1, 4, 7]"),
            ((good, None, torch.zeros(5, 3)), "resets: [5, 3]"),
            ((torch.zeros(0, 2, 3),), "x"),
        ]:
            with self.assertRaises(ValueError) as raised:
                made(*arguments)
            self.assertIn(said, str(raised.exception))
        for wrong in ({"clamp": -1.0}, {"recurent": True}):
            with self.assertRaises(ValueError):
                stpn.torch.STPN(3, 4, **wrong)
        with self.assertRaises(ValueError):
            stpn.torch.STPN(3, 4, dtype=torch.float16)

    def test_resets_of_other_numbers_than_0_and_1_were_not_heard_by_the_kernel(self):
        made, x = layer("STPN", dtype=torch.float32), torch.ones(4, 2, 3)
        wanted = torch.tensor([[0, 1], [1, 0], [0, 0], [0, 1]])
        expected, _ = made(x, None, wanted.bool())
        for resets in (wanted * 256, wanted * 0.5):
            self.assertTrue(torch.equal(made(x, None, resets)[0], expected))

    def test_a_second_derivative_of_a_linear_loss_was_a_constant(self):
        made = layer("STPN", dtype=torch.float32)
        x = torch.zeros(5, 2, 3, requires_grad=True)
        for loss in (made(x)[0].sum(), made(x)[0].square().sum()):
            with self.assertRaisesRegex(RuntimeError, "create_graph=True: .* no second derivative"):
                torch.autograd.grad(loss, x, create_graph=True)

    def test_under_autocast_an_lstm_worked_and_a_layer_did_not(self):
        for name in ("STPN", "LSTM", "Oja"):
            made, x = layer(name, dtype=torch.float32), torch.randn(5, 2, 3)
            half = x.bfloat16()
            plain, expected = made(x)[0], made(half.float())[0]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                outputs = [made(half)[0], made(half, [field.bfloat16() for field in made.zero_state(2)])[0]]
                self.assertTrue(torch.equal(made(x)[0], plain))
                features = torch.nn.Linear(3, 3)(x)
                self.assertEqual(features.dtype, torch.bfloat16)
                hidden, _ = made(features)
                with self.assertRaisesRegex(ValueError, "x is torch.float64"):
                    made(x.double())
            for output in outputs:
                self.assertTrue(torch.equal(output, expected))
            hidden.sum().backward()
            self.assertTrue(all(parameter.grad.isfinite().all() for parameter in made.parameters()))
            with self.assertRaisesRegex(ValueError, "x is torch.bfloat16 and the parameters are torch.float32"):
                made(half)

    def test_half_precision_and_arrays_failed_without_a_word_of_what_is_needed(self):
        with self.assertRaisesRegex(ValueError, "the parameters are torch.float16; a layer is of torch.float32"):
            layer("STPN", dtype=torch.float32).half()(torch.zeros(5, 2, 3).half())
        with self.assertRaisesRegex(TypeError, "x: ndarray; expected a tensor"):
            layer("STPN", dtype=torch.float32)(torch.zeros(5, 2, 3).numpy())


if __name__ == "__main__":
    unittest.main()
