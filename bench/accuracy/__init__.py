"""How often folds and forwarded messages are right, ours and those of other libraries, on the same fixtures: `make accuracy`."""
