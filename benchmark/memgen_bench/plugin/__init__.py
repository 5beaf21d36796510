"""The interface to plugins: specifications, hooks, the registry, and a scaffold."""
