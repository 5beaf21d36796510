"""Workers: processes that compute networks, and send their rows back even if they crash."""
