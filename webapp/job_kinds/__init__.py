"""The kinds of long work, one file for each subject. `webapp.jobs` names them all."""
