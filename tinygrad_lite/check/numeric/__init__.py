"""Numeric derivatives, how precise they are, and what rounding does."""
