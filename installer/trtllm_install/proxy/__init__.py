"""Finds the proxy binary and proves what it serves."""
