"""What services, and hotline systems outside, may know of each other."""
