"""Other processes for tests: forked, so that they need not import torch once more, and killed at any moment."""

import multiprocessing
import os
import signal
import time

import pytest
import torch


def start(function, *arguments, new=False):
    """Start a process that calls a function of a module; ``new`` makes it a new interpreter that imports all anew."""
    # Once gradients were computed beside a GPU, a forked process can compute none.
    new = new or torch.cuda.is_available()
    process = multiprocessing.get_context("spawn" if new else "fork").Process(
        target=_alone, args=(function, *arguments), daemon=True
    )
    process.start()
    return process


def _alone(function, *arguments):
    torch.set_num_threads(1)
    function(*arguments)


def pipe():
    """Return two ends through which two processes can talk."""
    return multiprocessing.Pipe()


def kill(process):
    """Kill a process, which has no moment to clean up."""
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL


def kill_when(process, condition, seconds=120):
    """Kill a process as soon as the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if not process.is_alive() or time.monotonic() > end:
            process.kill()
            pytest.fail("It ended too early, or never came so far: see what it wrote.")
        time.sleep(0.002)
    kill(process)
