"""Compiled functions against the same functions run eagerly."""
