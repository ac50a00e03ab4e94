"""The series: read, put in order, split, scaled, and cut into windows. Reading needs no torch."""
