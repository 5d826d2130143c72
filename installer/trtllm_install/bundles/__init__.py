"""Bundles on disk: written, checked byte by byte, unpacked. Standard library only."""
