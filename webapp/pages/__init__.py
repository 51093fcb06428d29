"""The page's pages, one file a subject; each makes a blueprint."""
