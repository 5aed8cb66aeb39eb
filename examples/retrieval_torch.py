#!/usr/bin/env python3
"""Associative retrieval (Ba et al. 2016) as an ordinary training script of PyTorch: `STPN` where an `nn.LSTM` would be.

    python examples/retrieval_torch.py [--epochs 100] [--goal 0.995] [--cell LSTM]

Three pairs of a letter and a digit, two question marks, and one of the letters: which digit came with it? Trains with
torch's own Adam until the validation accuracy reaches the goal; the settings are those of `stpn train art`.
"""

import argparse
import time

import stpn
import stpn.torch
import torch
from torch import nn
from torch.nn import functional

LETTERS, DIGITS, PAIRS = 26, 10, 3
SYMBOLS = LETTERS + DIGITS + 1


def sequences(count):
    """One-hot symbols `[9, N, 37]`, and the symbols that answer `[N]`."""
    letters = torch.rand(count, LETTERS).argsort(1)[:, :PAIRS]
    digits = LETTERS + torch.randint(DIGITS, (count, PAIRS))
    asked = torch.randint(PAIRS, (count, 1))
    pairs = torch.stack([letters, digits], 2).reshape(count, 2 * PAIRS)
    question = torch.full((count, 2), SYMBOLS - 1)
    symbols = torch.cat([pairs, question, letters.gather(1, asked)], 1)
    return functional.one_hot(symbols.T, SYMBOLS).float(), digits.gather(1, asked).squeeze(1)


class Network(nn.Module):
    """A recurrent layer under a linear readout of its last activity."""

    def __init__(self, cell, hidden):
        super().__init__()
        self.cell = getattr(stpn.torch, cell)(SYMBOLS, hidden)
        self.readout = nn.Linear(hidden, SYMBOLS)

    def forward(self, x):
        output, _ = self.cell(x)
        return self.readout(output[-1])


def accuracy(network, x, targets):
    with torch.no_grad():
        return (network(x).argmax(1) == targets).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", default="STPN", help="a layer of stpn.torch")
    parser.add_argument("--hidden", type=int, default=11)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--training", type=int, default=100_000, help="sequences of an epoch")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--goal", type=float, default=0.995, help="validation accuracy at which training ends")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="of the cell and of PyTorch; 0 is one per core")
    o = parser.parse_args()
    if o.threads:
        torch.set_num_threads(o.threads)
        stpn.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    (x, targets), validation, test = sequences(o.training), sequences(10_000), sequences(20_000)
    network = Network(o.cell, o.hidden)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    begin = time.perf_counter()
    for epoch in range(1, o.epochs + 1):
        for batch in torch.randperm(o.training).split(o.batch):
            loss = functional.cross_entropy(network(x[:, batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        reached = accuracy(network, *validation)
        print(f"epoch {epoch}  loss {loss.item():.4f}  validation accuracy {reached:.4f}", flush=True)
        if reached >= o.goal:
            break
    seconds = time.perf_counter() - begin
    print(f"test accuracy {accuracy(network, *test):.4f} after {epoch} epochs, {seconds:.0f} s")


if __name__ == "__main__":
    main()
