"""How each part is built: a folder a part, holding its section of the stack file and its resources."""
