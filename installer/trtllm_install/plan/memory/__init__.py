"""The GPU memory plan: what each instance takes, in start order, and what would fit."""
