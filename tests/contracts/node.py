"""Node's packages for the tests that need them: installed from the lock once, and kept."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

STAMP = "node_modules/.xinqiao-lock"


def installed(folder: Path) -> str:
    """Install what the folder's lock names, unless it is there; node's path. Skips the test where Node is missing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / STAMP
    if not stamp.exists() or stamp.read_text() != lock:
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"npm ci failed in {folder}:\n{done.stderr}"
        stamp.write_text(lock)
    return node
