"""The report of a batch: CSV, Markdown, and one page that needs nothing but a browser."""
