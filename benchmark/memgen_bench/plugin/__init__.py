"""The contract with plugins: specifications, hooks, the registry, and a scaffold."""
