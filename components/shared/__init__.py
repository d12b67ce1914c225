"""What every part uses: the base of a section, the types of its values, names and labels."""
