"""The operator's command, and what it runs: the local stack, the demonstration, the audit."""
