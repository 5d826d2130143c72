"""What is installed, as last written."""
