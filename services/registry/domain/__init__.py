"""Rules and types of the registry, pure."""
