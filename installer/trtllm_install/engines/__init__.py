"""Finds, and for a simulation lays down, the engine."""
