"""`mailweir doctor`: checks the stack in a data folder. One module for each area of checks."""
