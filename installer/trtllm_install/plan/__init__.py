"""Pure: what is wanted and what is there in, ordered changes out."""
