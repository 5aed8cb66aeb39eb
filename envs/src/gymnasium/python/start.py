"""A worker of stpn: makes Gymnasium environments and steps them for the program that started it.

Requests come on what was standard input and answers go to what was standard output, as records of a row, a command or
a status, and the length of a payload behind it. Actions, observations, rewards and flags are in a shared file, a row
for each environment.

The files of this folder are one program, joined in the order of `python.rs`: they share their names.
"""

import sys

# Nothing may be imported from the working folder before it is known whether that is allowed.
sys.path[:] = [path for path in sys.path if path not in ("", ".")]

import base64
import faulthandler
import importlib
import importlib.metadata
import importlib.util
import json
import mmap
import os
import pickle
import select
import signal
import struct
import threading
import time
import traceback


class Refused(Exception):
    """Something about the environment that cannot be used, in words that need no traceback."""


