"""Models that ship: small ones, the papers' ones, and those of timm."""
