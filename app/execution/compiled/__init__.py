"""Operations compiled to Python: what graphql-core answers, without its walk of every field.

`compiler` turns an operation into a `Plan`, once a document; `run` runs a plan. Everything that
is out of the ordinary (a null, an error, an awaitable) leaves the generated code for `values`.
"""
