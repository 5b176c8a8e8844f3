"""What a drawing is written as: DOT, SVG, HTML, text, and whatever Graphviz makes of it."""
