"""Rules of the crisis service: pure, without a clock, a database or a broker."""
