"""What is known and why: constructs that are not generated, and errors that only some ways give.

A line here is a debt: it goes when its reason does.
"""

# Constructs that the generator leaves out, by the name that it asks for.
SWITCHED_OFF = {
    "INTERSECT ALL": "the engine does not count equal rows, so it is refused",
    "EXCEPT ALL": "the engine does not count equal rows, so it is refused",
    "ROLLUP in EXISTS": "a group that is there without rows is lost where the sub-select looks at the rows around it, so it is refused",
}

# Errors that one way may give alone: a fragment, and the reason.
REFUSALS = {
    "IN with a subquery is a condition of WHERE": "the engine has no plan for it as a value",
    "in a subquery that looks at the rows around it, is not supported": "the engine carries what ties rows through few nodes",
    "cannot be joined with them as it is written": "the engine ties rows by columns, and not by what is computed of them in a query below",
    "JOIN does not merge columns": "the engine takes the left column of USING for the merged one, also where it is NULL",
    "Cannot access field at argument 1: type List": "a table whose name is that of an inner column cannot be named in a sub-select",
    "HTTP 404": "a key that the site does not know is an error where a statement names it alone; where a join brings it, a warning",
    "does not fit": "a write is not computed from a value that does not fit its column; a SELECT shows NULL and warns",
    "may be a column of several tables": "a column that USING merges behind a semi-join is not found by its bare name",
    "Ambiguous reference to unqualified field": "a column that USING merges behind another join is not found by its bare name",
}
