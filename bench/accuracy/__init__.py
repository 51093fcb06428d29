"""Accuracy of folds and forwarded messages, ours and those of other libraries, on the same fixtures: `make accuracy`."""
