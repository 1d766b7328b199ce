"""What every policy of the registry is made of."""

from contracts.policies import PolicyPart, Source, Versioned

__all__ = ["PolicyPart", "Source", "Versioned"]
