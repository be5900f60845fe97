"""What will go wrong with OpenSim's files, before it does: findings with codes, remedies and safe repairs."""
