"""Runs over whole data sets: worker processes, results that survive a crash, resuming, the manifest."""
