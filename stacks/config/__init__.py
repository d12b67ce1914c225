"""From a stack file to the values that Pulumi would hand the program, and to errors that a person can act on."""
