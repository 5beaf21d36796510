"""What memorized networks hold: numbers, sentences, tables and figures from results/core."""
