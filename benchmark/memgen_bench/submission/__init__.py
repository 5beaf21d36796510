"""Submissions: a decoder's rows with all that somebody else needs to compute some of them again."""
