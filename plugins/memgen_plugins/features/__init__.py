"""Label-free features of the images: the controls that any network has to beat."""
