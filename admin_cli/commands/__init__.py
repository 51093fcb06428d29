"""One module for each noun of the command line; each has `register(app)`. Heavy imports stay within the commands."""
