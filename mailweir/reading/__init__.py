"""Reading mail: from raw bytes to text, folds, attachments, labels and thread keys. Pure; one file per subject."""
