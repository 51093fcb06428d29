"""The digest: `mailweir-digest`, which examines recorded mail. So far: was the author proven?"""
