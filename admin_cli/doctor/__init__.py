"""`mailweir doctor`: what is right and wrong with the stack in a data folder. One module for each area of checks."""
