"""Inverse kinematics and fitting of persons."""
