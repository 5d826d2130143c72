"""The simulated trtllm-serve: same command line, same HTTP surface, faults on request."""
