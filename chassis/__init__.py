"""How a service talks and survives; the only code that services share."""
