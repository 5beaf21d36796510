"""Suites, and the plans made from them: networks and readings with stable keys; pure."""
