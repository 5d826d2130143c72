"""Probes read one thing of the host each and have no opinion."""
