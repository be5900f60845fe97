"""The command ``biopose``: thin, and imports what is heavy only when a command runs."""
