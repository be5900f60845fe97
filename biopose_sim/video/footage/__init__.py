"""Clips and what is found in them: pictures, the detector, people."""
