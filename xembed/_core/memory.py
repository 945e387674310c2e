"""How much memory there is, so that large work can be refused with advice instead of being killed."""

from __future__ import annotations

from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Return the bytes that this process may still take, or None where that can't be known (not on Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    try:  # a container may get less
        limit, used = (int((_CGROUP / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
        cached = sum(
            int(line.split()[1])
            for line in (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
            if line.startswith(("inactive_file ", "active_file "))
        )
        free = min(free, limit - used + cached)
    except (OSError, ValueError):  # no limit: the file says "max"
        pass
    return max(free, 0)
