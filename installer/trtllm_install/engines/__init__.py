"""Versions of TensorRT-LLM: found, built, examined, removed."""
