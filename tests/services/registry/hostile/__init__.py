"""Files that do harm, or look as if they did: made when a test asks for them, none is kept."""
