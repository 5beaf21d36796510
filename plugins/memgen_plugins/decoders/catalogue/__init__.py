"""The decoders that ship, by name; estimators are imported only where they are built."""
