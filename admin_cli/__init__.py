"""The command line `mailweir`: everything an admin does."""
