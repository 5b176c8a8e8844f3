"""What the figures were taken on, and what a process knows of itself."""

import os
import platform
import resource
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
CPU_INFO = Path("/proc/cpuinfo")


def description(packages: set[str]) -> dict[str, Any]:
    """Return the machine and the versions of the packages that are installed."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: version(package) for package in sorted(packages)},
    }


def processor() -> str:
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def threads() -> dict[str, int]:
    """Return how many threads each numerical library of this process uses, as it was set by default."""
    from threadpoolctl import threadpool_info

    counts = {pool["internal_api"]: pool["num_threads"] for pool in threadpool_info()}
    if "torch" in sys.modules:
        counts["torch"] = sys.modules["torch"].get_num_threads()
    return counts


def resident_bytes() -> int:
    """Return what the process holds in memory now, or at most so far where the system does not tell."""
    return _status("VmRSS")


def peak_resident_bytes() -> int:
    """Return what the process has held in memory at most."""
    return _status("VmHWM")


def _status(key: str) -> int:
    if STATUS.exists():
        for line in STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{key}:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
