"""The only writer: journal first, then the change, receipt last."""
