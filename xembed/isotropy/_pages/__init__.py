"""The pages of isotropy results: a function for each kind of result, from its plain data to a page."""
