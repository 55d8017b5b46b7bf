"""Words that tell the label of a toy review."""

GOOD = ["fine", "lovely", "superb", "warm", "witty"]
BAD = ["dull", "weak", "lifeless", "cold", "clumsy"]
