"""Turns untrusted YAML into model values, once."""
