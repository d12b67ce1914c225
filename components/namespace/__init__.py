"""The namespace of an application, and what holds for everything in it."""
