"""Label prompts: both models answer, a judge or the right answer says how well."""
