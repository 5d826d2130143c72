"""Pure: installation in, file texts out."""
