"""2D key points: layouts, files, one person followed, where they lie on the body."""
