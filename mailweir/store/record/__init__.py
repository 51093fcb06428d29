"""The record: decisions, activities, to-dos, raw messages and their verdicts, as they are written and read."""
