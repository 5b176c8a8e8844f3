"""A graph made fast: captured once, lowered, rewritten, its memory planned, and replayed without allocating."""

from tinygrad_lite.program.compiled import Program, compile

__all__ = ["Program", "compile"]
