"""Frozen values, names, layout, states, errors; imports nothing of ours."""
