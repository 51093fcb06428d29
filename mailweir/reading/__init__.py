"""Reading mail: from raw bytes to text, folds, attachments, labels and threads' keys. Pure; one file a subject."""
