"""What the engine does with memory that a plan of it must know."""

BLOCK_QUERIES = 256
"""Queries of a block of the attention that drops out its weights, on a CPU."""
MMAP_BYTES = 32 << 20
"""Pieces above this size go back to the system when they are freed; smaller ones are kept."""
FEWEST_LAID_OUT = 1 << 16
"""Numbers of the smallest weight that is laid out for a processor's products, beside itself;
products with smaller ones take longer to call for than to make."""
WORDS_AT_ONCE = 4096
"""Words of a piece of a mapping's gradient; fewer words than that stay as they are."""
KEPT_WORDS_BYTES = 32 << 20
"""At most kept of what a GPT-2's first layer made of words of prompts, for the prompts to come:
some thousand words at their places."""
MOST_LAID_OUT = 2 << 30
"""Bytes of a backbone's products in float32 up to which they are laid out: a machine that holds
more of them than that in float32 has little memory to spare for holding them twice."""
