"""The long runs behind the book's results page; they write ``results/*.json``."""
