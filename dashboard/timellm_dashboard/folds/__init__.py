"""What is gathered from records as they come, in bounded memory. Pure."""
