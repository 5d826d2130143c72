"""One verb a file: `run(arguments, envelope)` returns the exit code."""
