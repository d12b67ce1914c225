"""A service of the application: its pods, how they scale, and what keeps them safe."""
