"""The rules of matching: who may be asked, who is nearest, whose turn it is. No input or output but policy files."""
