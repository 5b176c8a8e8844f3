"""Backpropagation as a student writes it, in plain NumPy, in three conventions."""
