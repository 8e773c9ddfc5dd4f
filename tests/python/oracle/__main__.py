"""Random statements over all tables of the demo site, each run four ways that must agree.

Usage: python tests/python/oracle path/to/jsmql [--seed N] [--count N] [--requests N]

With pushdown, without, over the tables staged in `temp`, and in DuckDB over the same rows. One in eight is a DELETE or an UPDATE, whose dry run
is compared with the SELECT of its WHERE. A statement about which the ways disagree is made smaller and printed with all answers; the seed
that is printed makes the same statements again.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import random
import time

from compare import kind_of, reason_in, verdict
from engines import Answer, Engines
from generate import Maker
from known import REFUSALS
from shrink import shrink
from tables import Site
from tree import Query
from writes import Write, write

# Fewer statements with rows than this say too little.
LEAST_SHARE = 0.6
# Nor does a run of which more is refused.
LEAST_COMPARED = 0.9


class Oracle:
    def __init__(self, engines, stack):
        self.engines = engines
        # Each way goes through the statements at its own pace, one at a time.
        everyone = [*engines.ways, *engines.dry]
        self.queues = {way.name: stack.enter_context(concurrent.futures.ThreadPoolExecutor(1)) for way in everyone}
        self.refusals = collections.Counter()

    def begin(self, way, sql):
        return self.queues[way.name].submit(way.run, sql)

    def ask(self, tree):
        """Lets each way begin; the answers by name come with `.result()` of each."""
        if isinstance(tree, Write):
            dry = [(way.name, self.begin(way, tree.sql(way.dialect))) for way in self.engines.dry]
            found = [(way.name, self.begin(way, tree.found(way.dialect))) for way in (self.engines.pushed, self.engines.duckdb)]
            return dict(dry + found)
        return {way.name: self.begin(way, tree.sql(way.dialect)) for way in self.engines.ways}

    def answers(self, tree, asked=None):
        """What each way says, by its name; for a write, what it would send beside what would be sent for the rows that DuckDB finds."""
        answers = {name: run.result() for name, run in (asked or self.ask(tree)).items()}
        if isinstance(tree, Write):
            for way in self.engines.dry:
                answers[way.name] = requests(answers[way.name])
            answers["rows found"] = self.expected(tree, answers[self.engines.duckdb.name])
        return answers

    def expected(self, tree, found):
        if found.error:
            return found
        if tree.value is not None:
            return Answer(rows=sorted((f"/rest/api/3/issue/{key}", value) for key, value in found.rows))
        way = self.engines.dry[0]
        sql = tree.of_rows(way.dialect, found.rows)
        return requests(self.begin(way, sql).result()) if sql else Answer(rows=[])

    def judge(self, tree, answers):
        """`same`, `refused`, or what is wrong."""
        if isinstance(tree, Write):
            selected = [self.engines.pushed.name, self.engines.duckdb.name]
            sent = [name for name in answers if name not in selected]
            verdicts = [verdict([answers[name] for name in names], False, REFUSALS) for names in (sent, selected)]
            # What one comparison refuses hides no disagreement of the other.
            return next((each for each in verdicts if each not in ("same", "refused")), "refused" if "refused" in verdicts else "same")
        return verdict(list(answers.values()), isinstance(tree, Query) and tree.ordered, REFUSALS)

    def count_refusal(self, answers):
        error = next(answer.error for answer in answers.values() if answer.error)
        self.refusals[reason_in(error, REFUSALS) or "all ways: " + kind_of(error)] += 1

    def smaller(self, tree, what):
        """The smallest statement that fails in the same way."""

        def disagrees(candidate):
            return self.judge(candidate, self.answers(candidate)) == what

        return shrink(tree, disagrees)


def requests(answer):
    """The requests of a dry run: for an UPDATE, the issue and its summary."""
    if answer.error:
        return answer
    rows = []
    for _, _, method, path, query, body in answer.rows:
        if method == "PUT":
            rows.append((path, json.loads(body)["fields"]["summary"]))
        else:
            # Rows share requests in any order: each value of a list is a row of its own.
            for place, values in (json.loads(body) if body else {"": None}).items():
                rows.extend((method, path, query, place, value) for value in (values if isinstance(values, list) else [values]))
    return Answer(rows=sorted(rows, key=str))


def made(make, count, oracle):
    """The statements with what was asked about them, some ahead of the one that is judged."""
    ahead = collections.deque()
    for number in range(count):
        tree = write(make) if number % 8 == 7 else make.statement()
        ahead.append((number, tree, oracle.ask(tree)))
        if len(ahead) > 12:
            yield ahead.popleft()
    yield from ahead


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("jsmql")
    arguments.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments.add_argument("--count", type=int, default=2000)
    arguments.add_argument("--requests", type=int, default=40, help="customer requests of the demo site")
    arguments.add_argument("--most", type=int, default=10, help="disagreements to find before it ends")
    arguments.add_argument("--verbose", action="store_true", help="print each statement")
    given = arguments.parse_args()
    print(f"seed {given.seed}: {given.count} statements", flush=True)
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        oracle = Oracle(Engines(stack, given.jsmql, given.requests), stack)
        make = Maker(Site(oracle.engines), given.seed)
        failed, with_rows, answered = [], 0, 0
        for number, tree, asked in made(make, given.count, oracle):
            if given.verbose:
                print(number, f"{time.monotonic() - begun:.0f} s", tree.sql(oracle.engines.pushed.dialect), flush=True)
            answers = oracle.answers(tree, asked)
            what = oracle.judge(tree, answers)
            if what == "refused":
                oracle.count_refusal(answers)
                continue
            answered += 1
            with_rows += any(answer.rows for answer in answers.values())
            if what != "same":
                failed.append(number)
                report(oracle, number, tree, what)
                if len(failed) >= given.most:
                    break
    share = with_rows / max(answered, 1)
    compared = answered / (number + 1)
    print(f"{number + 1} statements in {time.monotonic() - begun:.0f} s: {answered} answered, {share:.0%} of them with rows; {len(failed)} disagreements")
    for reason, count in oracle.refusals.most_common():
        print(f"  refused {count} times: {reason}")
    if failed or share < LEAST_SHARE or compared < LEAST_COMPARED:
        raise SystemExit(f"seed {given.seed}: statements {failed}, {compared:.0%} compared, {share:.0%} of them with rows")


def report(oracle, number, tree, what):
    small = oracle.smaller(tree, what)
    print(f"\nstatement {number} disagrees in {what}: {small.sql(oracle.engines.pushed.dialect)}")
    for name, answer in oracle.answers(small).items():
        print(f"  {name}: {answer}")
    print(f"  was: {tree.sql(oracle.engines.pushed.dialect)}", flush=True)


main()
