"""A job's results on the caller's side: row by row, as a file in any form, as a data frame."""
