"""Programs that some tests run, and that a machine may not have."""

from __future__ import annotations

import shutil

import pytest

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
