"""Networks: their training, the files that store and resume them, and their layers."""
