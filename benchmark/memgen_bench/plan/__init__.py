"""From a suite to a plan: which networks, which readings, with stable keys; pure."""
