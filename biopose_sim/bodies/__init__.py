"""Body models (Anny, SMPL, SMPL-H, SMPL-X), readers of their motions, and the virtual markers on them."""
