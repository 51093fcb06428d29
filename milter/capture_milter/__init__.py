"""The filter: `mailweir-milter`, which sees every message that Postfix takes, decides and records."""
