"""The page's pages, one file for each subject. Each file makes a blueprint."""
