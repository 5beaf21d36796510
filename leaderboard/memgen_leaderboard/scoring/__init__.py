"""From readings to scores; pure but for the reading of results folders."""
