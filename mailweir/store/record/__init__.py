"""The record: decisions, activities, to-dos, raw messages and their verdicts, written and read."""
