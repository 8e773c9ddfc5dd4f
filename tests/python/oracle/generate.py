"""Random queries: what stands in FROM, what is selected of it, and sub-selects inside of expressions."""

import dataclasses
import random

from expressions import FORMS, Scope, Seen, column, constant, literal
from known import SWITCHED_OFF
from tree import DistinctOn, Item, Query, Table, Word, node, series

# Deepest an expression or a query in a query goes.
DEEPEST = 3
COMPARED = ("text", "int", "float", "bool", "date", "time")


class Maker:
    """Makes statements about a site. The same seed makes the same statements of the same site."""

    def __init__(self, site, seed):
        self.site = site
        self.random = random.Random(seed)
        self.aliases = 0
        # The column that something was said about last.
        self.said = None
        self.names = sorted(name for name in site.tables if site.sizes[name] and site.tables[name])

    # ---- choosing

    def weighed(self, choices):
        """One of (value, weight, …), by weight."""
        return self.random.choices(choices, [choice[1] for choice in choices])[0][0]

    def chance(self, share):
        return self.random.random() < share

    def allowed(self, switch):
        return switch not in SWITCHED_OFF

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    # ---- expressions

    def expression(self, kind, scope, depth=0):
        """An expression of this type: mostly a column, the deeper the more so."""
        if kind == "list" or depth >= DEEPEST or self.chance(0.45):
            return (column(self, kind, scope, depth) if self.chance(0.9) else None) or constant(self, kind, scope, depth)
        forms = [form for form in FORMS[kind] if form[2] is None or self.allowed(form[2])]
        return self.weighed(forms)(self, kind, scope, depth) or constant(self, kind, scope, depth)

    def predicate(self, scope, depth=0):
        forms = [form for form in FORMS["bool"] if depth < DEEPEST or form[1] >= 3]
        if scope.of("bool") and self.chance(0.06):
            return node("bool", self.random.choice(scope.of("bool")).sql)
        while True:
            if made := self.weighed(forms)(self, "bool", scope, depth):
                return made

    def where(self, scope, depth=0, share=0.6):
        terms = [self.predicate(scope, depth) for _ in range(self.random.choice([1, 1, 1, 2]))] if self.chance(share) else []
        return series("where", terms, joiner=" AND ", prefix=" WHERE ")

    # ---- FROM

    def table(self, name=None):
        """A table under a name of its own, and what is seen of it."""
        # Tables with many columns are those that people ask for, and the only ones where predicates become requests.
        name = name or self.random.choices(self.names, [1 + len(self.site.tables[each]) ** 0.5 for each in self.names])[0]
        alias = self.alias()
        seen = [Seen(f"{alias}.{each.sql}", each.type, each.values, each) for each in self.site.tables[name]]
        return node("source", Table(name), f" {alias}"), Scope(seen)

    def derived(self, depth):
        alias, (query, columns) = self.alias(), self.query(depth + 1)
        seen = [Seen(f"{alias}.{name}", each.type, each.values, each.column) for name, each in zip(query.names(), columns)]
        return node("source", "(", query, f") {alias}"), Scope(seen)

    def partner(self, scope):
        """A column that is seen, and a column of some table that has values in common with it."""
        seen = [each for each in scope if each.column and self.site.joins.get(each.column.table)]
        self.random.shuffle(seen)
        for each in seen:
            pairs = [(pair, pair[2]) for pair in self.site.joins[each.column.table] if pair[0] == each.column]
            if pairs:
                return each, self.weighed(pairs)[1]
        return None

    def source(self, depth):
        """FROM: one table or several, and what is seen of them."""
        made, scope = self.derived(depth) if depth < 2 and self.chance(0.2) else self.table()
        if self.chance(0.5):
            return made, scope
        for _ in range(self.random.choice([1, 1, 1, 2, 2, 3])):
            made, scope = self.join(made, scope)
        return made, scope

    def join(self, made, scope):
        # The merged column of USING has no table to name it by: the next table may have its name too.
        named = Scope(each for each in scope if "." in each.sql)
        if not named:
            return made, scope
        scope = named
        if self.chance(0.05):
            other, theirs = self.table(self.random.choice([name for name in self.names if self.site.sizes[name] <= 4]))
            return node("source", made, " CROSS JOIN ", other), Scope([*scope, *theirs])
        found = self.partner(scope)
        if not found:
            return made, scope
        left, column = found
        other, theirs = self.table(column.table)
        right = next(each for each in theirs if each.column == column)
        form = self.weighed([("JOIN", 5), ("LEFT JOIN", 4), ("RIGHT JOIN", 2), ("FULL JOIN", 2), ("semi", 1.5), ("anti", 1.5), ("USING", 1.5)])
        # Of a kind of its own: a join that is made smaller must not become a cross product.
        equal = node("tie", f"{left.sql} = {right.sql}")
        if form == "USING":
            if left.sql.split(".")[-1] != column.sql:
                form = "JOIN"
            elif sum(each.sql.split(".")[-1] == column.sql for each in scope) == 1:
                how = self.weighed([("JOIN", 5), ("LEFT JOIN", 5), ("FULL JOIN", 1), ("RIGHT JOIN", 1)])
                merged = Seen(column.sql, left.type, left.values)
                rest = [each for each in (*scope, *theirs) if each.sql.split(".")[-1] != column.sql]
                return node("source", made, f" {how} ", other, f" USING ({column.sql})"), Scope([merged, *rest])
            else:
                form = "JOIN"
        both = Scope([*scope, *theirs])
        terms = [self.predicate(both, 2)] if self.chance(0.25) else []
        on = node("on", " ON ", equal, series("terms", terms, joiner=" AND ", prefix=" AND "))
        if form in ("semi", "anti"):
            return node("source", made, " ", Word(form), " ", other, on), scope
        return node("source", made, f" {form} ", other, on), both

    # ---- sub-selects in expressions

    def about(self, scope):
        """A table, and a predicate that ties its rows to those of the outer query; None where nothing joins."""
        found = self.partner(scope)
        if not found:
            return None
        left, column = found
        made, theirs = self.table(column.table)
        right = next(each for each in theirs if each.column == column)
        return made, Scope(theirs, scope), left, right

    def tie(self, scope, theirs):
        """A predicate that ties rows of a sub-select to those of the outer query by some columns that have values in common."""
        ties = [(seen, other) for seen in scope if seen.column for other in theirs if (seen.column, other.column) in self.site.common]
        return node("bool", "{0.sql} = {1.sql}".format(*self.random.choice(ties))) if ties else None

    def in_rows(self, scope, depth):
        if depth > 1 or not (found := self.about(scope)):
            return None
        made, theirs, left, right = found
        word = self.random.choice([" IN (", " IN (", " NOT IN ("])
        where = self.where(theirs, 2, 0.4)
        if self.chance(0.2) and (tie := self.tie(scope, theirs)):
            where = series("where", (tie, *where.parts), joiner=" AND ", prefix=" WHERE ")
        if self.chance(0.05):
            left = dataclasses.replace(left, sql=literal(self, left.type, left.values).sql(None))
        query = self.selecting([Item("item", (node(right.type, right.sql),), "c1")], made, where)
        return node("bool", "(", node(left.type, left.sql), word, query, "))")

    def exists(self, scope, depth):
        if depth > 1 or not (found := self.about(scope)):
            return None
        made, theirs, left, right = found
        tie = node("bool", f"{left.sql} = {right.sql}")
        if self.chance(0.2):
            made, theirs = self.join(made, theirs)
        where = self.where(theirs, 2, 0.4)
        where = series("where", (tie, *where.parts), joiner=" AND ", prefix=" WHERE ")
        group = ""
        if self.allowed("ROLLUP in EXISTS") and self.chance(0.1):
            group = f" GROUP BY ROLLUP ({right.sql})"
        query = self.selecting([Item("item", ("1",), "c1")], made, where, group)
        return node("bool", "(", self.random.choice(["EXISTS (", "EXISTS (", "NOT EXISTS ("]), query, "))")

    def scalar(self, kind, scope, depth):
        """A sub-select of one value: of none, one or many rows, of its own or of the outer query's."""
        if depth > 1 or not self.allowed("scalar sub-select"):
            return None
        if self.chance(0.5) and (found := self.about(scope)):
            made, theirs, left, right = found
            if not theirs.of(kind):
                return None
            tie = node("bool", f"{left.sql} = {right.sql}")
            where = series("where", (tie, *self.where(theirs, 2, 0.3).parts), joiner=" AND ", prefix=" WHERE ")
            if kind == "int" and self.chance(0.2):
                return self.window_of_rows(made, where, right)
            item = self.total(kind, theirs)
        else:
            made, theirs = self.table()
            keys = [each for each in theirs if each.column.name in self.site.keys[each.column.table] and each.values]
            if not theirs.of(kind):
                return None
            if keys and self.allowed("scalar sub-select of a key") and self.chance(0.5):
                where = [node("bool", f"{key.sql} = ", literal(self, key.type, key.values)) for key in keys]
                where = series("where", where, joiner=" AND ", prefix=" WHERE ")
                item = column(self, kind, theirs, 3)
            else:
                where, item = self.where(theirs, 2), self.total(kind, theirs)
        return node(kind, "(", self.selecting([Item("item", (item,), "c1")], made, where), ")")

    def window_of_rows(self, made, where, column):
        """A total of windows over the rows that are tied to a row around them."""
        alias = self.alias()
        window = self.random.choice(["count(*) OVER ()", f"rank() OVER (ORDER BY {column.sql} NULLS LAST)"])
        inner = self.selecting([Item("item", (f"CAST({window} AS BIGINT)",), "c1")], made, where)
        source = node("source", "(", inner, f") {alias}")
        return node("int", "(", self.selecting([Item("item", (f"CAST(sum({alias}.c1) AS BIGINT)",), "c1")], source, ""), ")")

    # ---- aggregates

    def total(self, kind, scope):
        """An aggregate of this type."""
        of = column(self, kind, scope, 3) or constant(self, kind, scope, 3)
        if kind == "bool":
            return node(kind, self.random.choice(["bool_and(", "bool_or("]), of, ")")
        if kind == "int":
            any_of = self.random.choice(scope).sql
            forms = ["count(*)", f"count({any_of})", f"CAST(sum({of.sql(None)}) AS BIGINT)"]
            distinct = [seen.sql for seen in scope if seen.type != "list"]
            if distinct:
                forms.append(f"count(DISTINCT {self.random.choice(distinct)})")
            if self.chance(0.6):
                made = node(kind, self.random.choice(forms))
                if self.chance(0.15):
                    made = node(kind, "CAST(", self.random.choice(["count(*)", f"count({any_of})"]), " FILTER (WHERE ", self.predicate(scope, 2), ") AS BIGINT)")
                return made
        if kind == "float" and self.chance(0.5):
            return node(kind, "avg(CAST(", of, " AS DOUBLE))")
        return node(kind, self.random.choice(["min(", "max("]), of, ")")

    # ---- SELECT

    def selecting(self, items, source, where, group="", having="", word="SELECT "):
        return Query("query", (word, series("items", items, least=1), " FROM ", source, where, group, having))

    def items(self, made):
        return [Item("item", (part,), f"c{at}") for at, part in enumerate(made, 1)]

    def kinds(self, scope, most=4):
        return [self.random.choice([seen.type for seen in scope]) for _ in range(self.random.randint(1, most))]

    def seen(self, part, kind, scope):
        """What is known of a column of a query: the values of the column that it is."""
        sql = part.sql(None) if all(isinstance(each, str) for each in part.parts) else None
        return next((seen for seen in scope if seen.sql == sql), Seen("", kind))

    def plain(self, depth, kinds=None):
        source, scope = self.source(depth)
        kinds = kinds or self.kinds(scope)
        parts = [self.expression(kind, scope, 0 if self.chance(0.4) else DEEPEST) for kind in kinds]
        word = "SELECT DISTINCT " if self.chance(0.15) and "list" not in kinds else "SELECT "
        query = self.selecting(self.items(parts), source, self.where(scope, depth), word=word)
        return query, [self.seen(part, kind, scope) for part, kind in zip(parts, kinds)]

    def grouped(self, depth, kinds=None):
        if kinds:
            return self.plain(depth, kinds)
        source, scope = self.source(depth)
        found = [seen for seen in scope if seen.type in COMPARED]
        keys = self.random.sample(found, min(len(found), self.random.choice([0, 1, 1, 1, 2, 2])))
        parts = [node(key.type, key.sql) for key in keys]
        kinds = [key.type for key in keys] + [self.random.choice(["int", "int", *COMPARED]) for _ in range(self.random.randint(1, 3))]
        parts += [self.total(kind, scope) for kind in kinds[len(keys) :]]
        how = self.random.choice(["", "", "", "ROLLUP ", "CUBE "]) if len(keys) > 1 else ""
        bracket = ("(", ")") if how else ("", "")
        group = series("group", [node("key", key.sql) for key in keys], prefix=f" GROUP BY {how}{bracket[0]}", suffix=bracket[1])
        having = []
        if self.chance(0.3):
            having = [node("bool", self.total("int", scope), self.random.choice([" > ", " >= ", " <> ", " < "]), str(self.random.randint(0, 4)))]
        query = self.selecting(self.items(parts), source, self.where(scope, depth), group, series("having", having, prefix=" HAVING "))
        return query, [self.seen(part, kind, scope) for part, kind in zip(parts, kinds)]

    def windows(self, depth, kinds=None):
        """Windows whose values do not depend on how rows that tie are ordered."""
        if kinds:
            return self.plain(depth, kinds)
        source, scope = self.source(depth)
        found = [seen for seen in scope if seen.type in COMPARED]
        if not found:
            return self.plain(depth)
        columns = self.random.sample(found, min(len(found), self.random.randint(1, 3)))
        inner = self.selecting(self.items([node(each.type, each.sql) for each in columns]), source, self.where(scope, depth))
        alias = self.alias()
        names = [f"{alias}.c{at}" for at in range(1, len(columns) + 1)]
        every = ", ".join(f"{name}{self.random.choice(['', ' DESC'])} NULLS LAST" for name in names)
        first, by = self.random.choice(names), f"PARTITION BY {self.random.choice(names)} " if self.chance(0.6) else ""
        peers = f"{by}ORDER BY {first} NULLS LAST"
        forms = [
            ("int", f"CAST(row_number() OVER ({by}ORDER BY {every}) AS BIGINT)"),
            ("int", f"CAST(rank() OVER ({peers}) AS BIGINT)"),
            ("int", f"CAST(dense_rank() OVER ({peers}) AS BIGINT)"),
            ("int", f"count(*) OVER ({peers})"),
            ("int", f"count({first}) OVER ({by})"),
            (columns[0].type, f"lag({names[0]}) OVER ({by}ORDER BY {every})"),
            (columns[0].type, f"lead({names[0]}, 2) OVER ({by}ORDER BY {every})"),
            (columns[0].type, f"last_value({names[0]}) OVER ({by}ORDER BY {every} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"),
            ("float", f"percent_rank() OVER ({peers})"),
            ("int", f"count(*) OVER ({by}ORDER BY {every} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"),
        ]
        if columns[0].type != "bool":
            forms.append((columns[0].type, f"max({names[0]}) OVER ({peers})"))
        chosen = self.random.sample(forms, self.random.randint(1, 2))
        parts = [node(each.type, name) for each, name in zip(columns, names)] + [node(kind, sql) for kind, sql in chosen]
        query = self.selecting(self.items(parts), node("source", "(", inner, f") {alias}"), "")
        return query, [Seen("", each.type, each.values, each.column) for each in columns] + [Seen("", kind) for kind, _ in chosen]

    def combined(self, depth, kinds=None):
        kinds = kinds or [self.random.choice(COMPARED) for _ in range(self.random.randint(1, 3))]
        (one, columns), (other, _) = self.query(depth + 1, kinds), self.query(depth + 1, kinds)
        words = ["UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"]
        word = self.random.choice([word for word in words if self.allowed(word)])
        return Query("query", ("(", one, f") {word} (", other, ")")), [Seen("", each.type, each.values) for each in columns]

    def skipped(self, depth, kinds=None):
        """How many rows a LIMIT with OFFSET leaves, below a window that sorts them: which they are, engines need not agree on."""
        if kinds:
            return self.plain(depth, kinds)
        query, columns = self.plain(depth)
        if columns[0].type not in COMPARED:
            return query, columns
        inner, outer = self.alias(), self.alias()
        cut = f" LIMIT {self.random.randint(0, 20)} OFFSET {self.random.randint(1, 9)}"
        number = Item("item", (f"CAST(row_number() OVER (ORDER BY {inner}.c1) AS BIGINT)",), "c1")
        numbered = self.selecting([number], node("source", "(", query, f"{cut}) {inner}"), "")
        items = [Item("item", ("count(*)",), "c1"), Item("item", (f"max({outer}.c1)",), "c2")]
        return self.selecting(items, node("source", "(", numbered, f") {outer}"), ""), [Seen("", "int"), Seen("", "int")]

    def first_of_each(self, depth, kinds=None):
        query, columns = self.plain(depth, kinds)
        if any(each.type not in COMPARED for each in columns):
            return query, columns
        return DistinctOn("query", (query,), on=self.random.randint(1, len(columns))), columns

    def unnested(self, depth, kinds=None):
        source, scope = self.table()
        if kinds or not scope.of("list"):
            return self.plain(depth, kinds)
        other = self.random.choice([seen for seen in scope if seen.type in COMPARED])
        listed = self.random.choice(scope.of("list"))
        parts = [node(other.type, other.sql), node("unnested", f"unnest({listed.sql})")]
        return self.selecting(self.items(parts), source, self.where(scope, depth)), [other, Seen("", "text")]

    def query(self, depth=0, kinds=None):
        """A query and its columns."""
        forms = [
            (self.plain, 10),
            (self.grouped, 5),
            (self.windows, 2 if depth < 2 else 0),
            (self.combined, 3 if depth < 2 else 0),
            (self.first_of_each, 2),
            (self.skipped, 1),
            (self.unnested, 0.7 if depth == 0 else 0),
        ]
        query, columns = self.weighed(forms)(depth, kinds)
        return self.cut(query, columns), columns

    def cut(self, query, columns):
        """Sometimes an order, a limit, an offset. Lists have no order that engines share."""
        if any(each.type not in COMPARED for each in columns) or not self.chance(0.3):
            return query
        limit = self.random.choice([None, 1, 2, 3, 5, 10, 20, 0]) if self.chance(0.8) else None
        offset = self.random.randint(0, 3) if self.chance(0.25) and not isinstance(query, DistinctOn) else None
        how = {"ordered": True, "limit": limit, "offset": offset}
        return type(query)(query.kind, query.parts, **how, **({"on": query.on} if isinstance(query, DistinctOn) else {}))

    def statement(self):
        self.aliases = 0
        query, _ = self.query()
        if self.chance(0.08) and not isinstance(query, DistinctOn):
            return self.with_name(query)
        return query

    def with_name(self, query):
        """The query under a name that is read twice."""
        one, other = self.alias(), self.alias()
        names = query.names()
        item = Item("item", (f"{one}.{names[0]}",), "c1")
        tie = f"{one}.{names[0]} IS NOT DISTINCT FROM {other}.{names[0]}"
        parts = ("WITH named AS (", query, ") SELECT ", series("items", [item, Item("item", ("count(*)",), "c2")], least=1))
        return Query("query", (*parts, f" FROM named {one} JOIN named {other} ON {tie} GROUP BY {one}.{names[0]}"))
