"""Compiles the CUDA kernels with NVRTC and reports registers and memory of each; needs no GPU.

    cargo run -p stpn-cuda --example sources -- target/cuda
    pip install nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cuda-nvcc-cu12==12.9.86
    python scripts/cuda_compile.py target/cuda

The second package (for `ptxas`) is needed for the report alone: without it, the kernels are only compiled.
"""

import argparse
import ctypes
import pathlib
import re
import subprocess
import sys
import sysconfig
import tempfile

VERSION = "12.9.86"
ARCHITECTURES = ("75", "80", "90")
OPTIONS = ("--std=c++17", "--fmad=false")


def packaged(pattern):
    """The first file of NVIDIA's Python packages that matches, or nothing."""
    for folder in {sysconfig.get_path("purelib"), *sys.path}:
        found = sorted(pathlib.Path(folder or ".").glob(f"nvidia/{pattern}"))
        if found:
            return found[0]
    return None


class Compiler:
    """NVRTC by its C interface."""

    def __init__(self, library):
        self.lib = ctypes.CDLL(str(library))
        self.lib.nvrtcGetErrorString.restype = ctypes.c_char_p

    def check(self, code, what):
        if code:
            sys.exit(f"{what}: {self.lib.nvrtcGetErrorString(code).decode()}")

    def version(self):
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.check(self.lib.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)), "nvrtcVersion")
        return f"{major.value}.{minor.value}"

    def text(self, program, size, get):
        length = ctypes.c_size_t()
        self.check(size(program, ctypes.byref(length)), "size of a result")
        buffer = ctypes.create_string_buffer(length.value)
        self.check(get(program, buffer), "result")
        return buffer.value.decode()

    def compile(self, source, name, architecture):
        """PTX and the log; ends the script if it does not compile."""
        program = ctypes.c_void_p()
        create = self.lib.nvrtcCreateProgram
        self.check(create(ctypes.byref(program), source.encode(), name.encode(), 0, None, None), "program")
        options = [f"--gpu-architecture=compute_{architecture}", *OPTIONS]
        array = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        failed = self.lib.nvrtcCompileProgram(program, len(options), array)
        log = self.text(program, self.lib.nvrtcGetProgramLogSize, self.lib.nvrtcGetProgramLog)
        if failed:
            sys.exit(f"{name} for sm_{architecture} does not compile:\n{log}")
        ptx = self.text(program, self.lib.nvrtcGetPTXSize, self.lib.nvrtcGetPTX)
        self.lib.nvrtcDestroyProgram(ctypes.byref(program))
        return ptx, log


def resources(ptxas, ptx, architecture):
    """Lines of `ptxas` about each kernel: name, registers, spills, stack."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "kernels.ptx"
        file.write_text(ptx)
        command = [ptxas, "-v", f"-arch=sm_{architecture}", "-o", str(file.with_suffix(".cubin")), str(file)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    lines, name, frame = [], None, ""
    for line in done.stderr.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)'", line):
            name = found[1]
        elif "bytes stack frame" in line:
            frame = line.strip()
        elif found := re.search(r"Used (\d+) registers", line):
            lines.append((name, int(found[1]), frame))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    sources = sorted(arguments.folder.glob("*.cu"))
    if not sources:
        sys.exit(f"{arguments.folder} has no .cu file: write them with the example `sources` of stpn-cuda")
    library = packaged("cuda_nvrtc/lib/libnvrtc.so.12")
    if not library:
        sys.exit(f"NVRTC is missing: pip install nvidia-cuda-nvrtc-cu12=={VERSION}")
    ptxas = packaged("cuda_nvcc/bin/ptxas")
    compiler = Compiler(library)
    print(f"NVRTC {compiler.version()}, sm_{', sm_'.join(ARCHITECTURES)}")
    for source in sources:
        for architecture in ARCHITECTURES:
            ptx, log = compiler.compile(source.read_text(), source.name, architecture)
            if log.strip("\0 \n"):
                print(log)
            if not ptxas:
                print(f"{source.stem} sm_{architecture}: compiles")
                continue
            for name, registers, frame in resources(str(ptxas), ptx, architecture):
                print(f"{source.stem} sm_{architecture} {name}: {registers} registers, {frame}")


if __name__ == "__main__":
    main()
