"""How fast the offline preview is, held against what Pulumi's SDK itself costs: `make bench`."""
