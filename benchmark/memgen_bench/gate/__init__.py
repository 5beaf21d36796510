"""Gates: has decoding become worse, or slower, than what was accepted?"""
