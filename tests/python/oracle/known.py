"""What is known and why: constructs that are not generated, and errors that only some ways give.

A line here is a debt: it goes when its reason does.
"""

# Constructs that the generator leaves out, by the name that it asks for.
SWITCHED_OFF = {
    "scalar sub-select of a key": "one that finds no row counts as not NULL (A1)",
    "INTERSECT ALL": "the engine does not count equal rows, so it is refused",
    "EXCEPT ALL": "the engine does not count equal rows, so it is refused",
}

# Errors that one way may give alone: a fragment, and the reason.
REFUSALS = {
    "IN with a subquery is a condition of WHERE": "the engine has no plan for it as a value",
    "EXISTS is a condition of WHERE": "the engine has no plan for it as a value",
    "JOIN does not merge columns": "the engine takes the left column of USING for the merged one, also where it is NULL",
    "Cannot access field at argument 1: type List": "a table whose name is that of an inner column cannot be named in a sub-select",
    "HTTP 404": "a key that the site does not know is an error where a statement names it alone; where a join brings it, until B25",
    "declared as non-nullable": "a scalar sub-select that finds no row counts as not NULL (A1)",
}
