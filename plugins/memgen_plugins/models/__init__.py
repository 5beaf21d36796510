"""The models that ship with memgen-bench: small ones, the paper's, and those of timm."""
