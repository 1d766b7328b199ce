"""Fixtures that every test may ask for."""

from tests.support.servers import bus, database_name, mongod, nats_server

__all__ = ["bus", "database_name", "mongod", "nats_server"]
