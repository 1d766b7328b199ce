"""Fixtures that every test may ask for."""

import os

from hypothesis import settings

from tests.support.servers import bus, database_name, mongod, nats_server
from tests.support.stack import stack

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

__all__ = ["bus", "database_name", "mongod", "nats_server", "stack"]

# A worker of the test run has a narrow screen, which the command would fold its tables to.
os.environ["COLUMNS"] = "250"
