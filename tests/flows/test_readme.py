"""What the READMEs tell a newcomer to paste works when it is pasted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support.tools import needs_curl
from xinqiao.local import DEFAULT_PORTS, Stack

ROOT = Path(__file__).parents[2]


@needs_curl
@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_a_hotlines_first_flags_from_the_readme(stack: Stack, readme: str) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text(), re.DOTALL)
    # The stack is up already, the tests' Python is the environment, and the ports are the test's own.
    lines = [line for line in "".join(blocks).splitlines() if not line.startswith(("make up", ". .venv"))]
    script = "\n".join(lines).replace(str(DEFAULT_PORTS.http["crisis"]), str(stack.ports.http["crisis"]))
    (stack.home / "ports.json").write_text(json.dumps(asdict(stack.ports)))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": os.environ["HOME"], "XINQIAO_HOME": str(stack.home), "TERM": "dumb"}
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "202 Accepted" in done.stdout
    assert done.stdout.count('"status":"accepted"') == 2, done.stdout
    assert "hotline-my-line.nk" in done.stdout
