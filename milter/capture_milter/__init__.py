"""The filter: `mailweir-milter`, which sees every message that Postfix accepts, decides on it and records it."""
