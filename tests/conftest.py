"""Fixtures that every test may ask for."""

from tests.support.servers import bus, database_name, mongod, nats_server
from tests.support.stack import stack

__all__ = ["bus", "database_name", "mongod", "nats_server", "stack"]
