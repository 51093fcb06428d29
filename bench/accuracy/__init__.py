"""Accuracy of folds and of forwards' authors, in our code and in other libraries, on the same samples: `make accuracy`."""
