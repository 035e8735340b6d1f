"""The plots of the report, each a function from numbers to inline SVG; matplotlib is imported when one is drawn."""
