"""Pure checks: facts and desire in, findings out."""
