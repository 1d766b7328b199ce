"""``python -m xinqiao``: the same as the command ``xinqiao``."""

from xinqiao.cli import app

app()
