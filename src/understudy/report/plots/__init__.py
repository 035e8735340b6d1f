"""Plots as inline SVG: one function per figure, data in, text out."""
