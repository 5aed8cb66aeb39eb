"""Checks that the lines of checkpoints/README.md read a real checkpoint, in Python and without stpn.

    python check_checkpoint.py path/to/stpn path/to/checkpoints/README.md

Needs safetensors and numpy.
"""

import contextlib
import io
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile


def example(readme):
    """The README's Python block, and the checkpoint it names."""
    code = re.search(r"```python\n(.*?)```", readme.read_text(), re.DOTALL).group(1)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 10, f"{len(lines)} lines are no ten"
    path = re.search(r'Path\("([^"]+)"\)', code).group(1)
    return code, path


def floats(path, name):
    """A tensor's floats, by the file format's own definition."""
    contents = path.read_bytes()
    (length,) = struct.unpack("<Q", contents[:8])
    entry = json.loads(contents[8 : 8 + length])[name]
    start, end = (8 + length + offset for offset in entry["data_offsets"])
    assert entry["dtype"] == "F32", entry
    return entry["shape"], struct.unpack(f"<{(end - start) // 4}f", contents[start:end])


def main():
    binary, readme = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    code, named = example(readme)
    with tempfile.TemporaryDirectory() as directory:
        run = pathlib.Path(directory) / "run"
        command = [binary, "train", "maze-small", "--updates", "2", "--hidden", "6", "--run-dir", run,
                   "--set", "rollout.environments=4"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        checkpoint = run / "checkpoints" / "update-00000002"
        printed = io.StringIO()
        variables = {}
        with contextlib.redirect_stdout(printed):
            exec(code.replace(named, str(checkpoint)), variables)
        parameters = variables["parameters"]
        assert {"cell.weight", "cell.lambda", "cell.gamma"} <= set(parameters), sorted(parameters)
        assert "cell.lambda" in printed.getvalue(), printed.getvalue()
        for name, array in parameters.items():
            shape, values = floats(checkpoint / "parameters.safetensors", name)
            assert list(array.shape) == shape and tuple(array.ravel().tolist()) == values, name

        # A flipped bit is noticed by the same lines.
        file = checkpoint / "parameters.safetensors"
        contents = bytearray(file.read_bytes())
        contents[-1] ^= 1
        file.write_bytes(contents)
        try:
            exec(code.replace(named, str(checkpoint)), {})
        except AssertionError as error:
            assert "parameters.safetensors" in str(error), error
        else:
            raise AssertionError("a flipped bit went unnoticed")
    print(f"{len(parameters)} parameters read by the lines of {readme.name}")


main()
