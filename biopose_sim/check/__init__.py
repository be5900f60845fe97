"""What will go wrong with OpenSim's files, alone and together, and how to mend it. Needs no OpenSim."""
