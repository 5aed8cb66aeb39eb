"""Threads of Python beside those of Rust and of PyTorch, and processes that were forked."""

import sys
import threading
import unittest

import numpy as np
import stpn
import stpn.torch
import torch
from support import AGENTS, CHECKPOINTS, forked
from stpn import _stpn


def runs_beside(work):
    """Whether another thread of Python runs while `work` does, although nobody takes Python's lock away from it."""
    gate, seen, waits = threading.Lock(), [], threading.Event()

    def other():
        waits.set()
        with gate:
            seen.append(True)

    thread = threading.Thread(target=other, daemon=True)
    interval = sys.getswitchinterval()
    gate.acquire()
    try:
        # Before it starts: now it gets as far as the gate, and no thread has to give way.
        sys.setswitchinterval(1e6)
        thread.start()
        waits.wait()
        gate.release()
        for _ in range(2000):
            work()
            if seen:
                return True
        return False
    finally:
        sys.setswitchinterval(interval)
        thread.join(timeout=60)


class Lock(unittest.TestCase):
    def test_work_in_rust_leaves_the_lock_to_others(self):
        layer = stpn.torch.STPN(6, 16, dtype=torch.float32)
        packed = torch.cat([parameter.detach().reshape(-1) for parameter in layer.parameters()]).numpy()
        x, state = np.ones((20, 32, 6), np.float32), np.zeros((32, 16 + 16 * 22), np.float32)
        hidden, _, tape = layer._layer.forward(packed, x, None, state, True)
        agent = _stpn.Agent(CHECKPOINTS / AGENTS[1], 0)
        seen, starts = np.zeros((256, 2), np.float32), np.zeros(256, np.uint8)
        memory = np.zeros((256, agent.state_size), np.float32)
        vector = _stpn.Vector('{"name": "cartpole"}', 64, 0)
        observations, finals = np.zeros((2, 64, 4), np.float32)
        rewards, ended, cut = np.zeros(64, np.float32), np.zeros(64, bool), np.zeros(64, bool)
        vector.reset(0, observations)
        actions = np.zeros(64, np.uint32)
        self.assertFalse(runs_beside(lambda: sum(range(100))), "this is what it looks like if it is not")
        for name, work in [
            ("forward", lambda: layer._layer.forward(packed, x, None, state, True)),
            ("backward", lambda: layer._layer.backward(tape, x, hidden, hidden, None, True)),
            ("act", lambda: agent.act(seen, memory, starts, False)),
            ("outputs", lambda: agent.outputs(seen, memory, starts)),
            ("step", lambda: vector.step(actions, observations, finals, rewards, ended, cut)),
        ]:
            with self.subTest(name):
                self.assertTrue(runs_beside(work))


class Forks(unittest.TestCase):
    def test_layers_and_agents_go_on_after_a_fork(self):
        layer, agent = stpn.torch.STPN(6, 16, dtype=torch.float32), stpn.Agent.load(CHECKPOINTS / AGENTS[1])
        x = torch.ones(20, 32, 6)

        def work():
            for parameter in layer.parameters():
                parameter.grad = None
            output, _ = layer(x)
            output.square().sum().backward()
            action, state = agent.predict(np.ones((64, 2), np.float32), deterministic=True)
            return output.detach().numpy(), layer.weight.grad.numpy(), action, state

        expected = work()
        # PyTorch has threads of its own now, and has differentiated on them.
        large = torch.ones(600, 600, requires_grad=True)
        (large @ large).sum().backward()
        for _ in range(3):
            for ours, theirs in zip(expected, forked(work)):
                np.testing.assert_array_equal(ours, theirs)

    def test_a_fork_beside_a_thread_that_acts_waited_forever(self):
        agent, vector = stpn.Agent.load(CHECKPOINTS / AGENTS[1]), stpn.make_vec("cartpole", 4096)
        seen, actions, done = np.zeros((4096, 2), np.float32), np.zeros(4096, np.int64), threading.Event()
        vector.reset(seed=1)

        def acting():
            while not done.is_set():
                agent.predict(seen)

        def stepping():
            while not done.is_set():
                vector.step(actions)

        def work():
            refused = []
            for name, use in [("agent", lambda: agent.predict(seen)), ("vector", lambda: vector.step(actions))]:
                try:
                    use()
                except stpn.Error as error:
                    refused.append((name, str(error)))
            # What is made here can be used in any case.
            stpn.Agent.load(CHECKPOINTS / AGENTS[1]).predict(seen)
            stpn.make_vec("cartpole", 8).reset(seed=1)
            return refused

        threads = [threading.Thread(target=target, daemon=True) for target in (acting, stepping)]
        for thread in threads:
            thread.start()
        try:
            refused = {}
            # Whoever is forked between two steps may go on; sooner or later one is not.
            for _ in range(100):
                refused.update(forked(work))
                if len(refused) == 2:
                    break
        finally:
            done.set()
            for thread in threads:
                thread.join(timeout=60)
        for name in ("agent", "vector"):
            self.assertIn("when this process was forked", refused[name])
        # The parent's are as they were.
        agent.predict(seen)
        vector.step(actions)


if __name__ == "__main__":
    unittest.main()
