"""Bare-metal installer and supervisor for TensorRT-LLM serving."""

__version__ = "0.1.0"
