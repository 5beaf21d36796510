"""How a network gets to a process, and its rows get back, whatever becomes of that process."""
