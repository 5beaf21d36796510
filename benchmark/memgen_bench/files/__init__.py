"""Files: atomic writes, checksums, and default folders."""
