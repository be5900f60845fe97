"""NeurIK: joint angles and body sizes from markers in one pass of a network."""
