"""The secrets of the application: generated, or named and given by configuration."""
