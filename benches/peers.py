"""Which question it answers: what does reading issues cost, in requests and seconds, with jsmql and with what people would write in Python?

Usage: python benches/peers.py path/to/jsmql [ISSUES [LATENCY_MS]]   (packages: tests/python/requirements.txt)

All read the same demo site in one run. Each is used as its documentation shows; the time of the command includes its start, that of the
packages does not. Not part of the continuous integration: it measures, it does not judge.
"""

import json
import subprocess
import sys
import time

import requests
from atlassian import Jira
from jira import JIRA

USER, TOKEN = "dana@demo.example", "demo-token"
JSMQL = sys.argv[1]
ISSUES = sys.argv[2] if len(sys.argv) > 2 else "2000"
LATENCY = sys.argv[3] if len(sys.argv) > 3 else "50"
FIELDS = "summary,description,status,priority,assignee,reporter,created,updated,labels"
COLUMNS = "issue_key, summary, description, status, priority, assignee_display_name, reporter_display_name, created, updated, labels"
ALL = 'created >= "1970-01-01"'

sent = 0
original = requests.Session.send


def counting(session, *arguments, **options):
    global sent
    sent += 1
    return original(session, *arguments, **options)


requests.Session.send = counting


def python_jira(fields, expand_comments=False):
    """jira: all issues, and each issue's comments where they are asked for."""
    jira = JIRA(URL, basic_auth=(USER, TOKEN))
    issues = jira.enhanced_search_issues(ALL, maxResults=0, fields=fields)
    if expand_comments:
        return sum(len(jira.comments(issue)) for issue in issues)
    return len(issues)


def atlassian(fields, expand_comments=False):
    """atlassian-python-api: token by token, as its documentation shows."""
    jira = Jira(url=URL, username=USER, password=TOKEN, cloud=True)
    count, comments, token = 0, 0, None
    while True:
        page = jira.enhanced_jql(ALL, fields=fields, nextPageToken=token)
        count += len(page["issues"])
        if expand_comments:
            for issue in page["issues"]:
                comments += len(jira.issue_get_comments(issue["key"])["comments"])
        token = page.get("nextPageToken")
        if not token:
            return comments if expand_comments else count


def jsmql(sql):
    """One statement, whose rows are all printed; the second, about the requests, costs none."""
    tail = "SELECT count(*) AS requests FROM sys.requests"
    command = [JSMQL, "--connection", f"URL={URL};User={USER};APIToken={TOKEN}", "--format", "ndjson", "-c", sql, "-c", tail]
    *rows, last = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    global sent
    sent += json.loads(last)["requests"]
    return len(rows)


def measure(what, who, work):
    global sent
    sent, began = 0, time.perf_counter()
    rows = work()
    print(f"| {what} | {who} | {rows} | {sent} | {time.perf_counter() - began:.2f} |", flush=True)


site = subprocess.Popen([JSMQL, "demo", "--date", "2026-10-31", "--port", "0", "--requests", ISSUES, "--latency-ms", LATENCY], stdout=subprocess.PIPE, text=True)
try:
    URL = site.stdout.readline().strip()
    print(f"{ISSUES} issues, {LATENCY} ms\n\n| work | by | rows | requests | seconds |\n|---|---|---:|---:|---:|")
    measure("ten columns", "jsmql", lambda: jsmql(f"SELECT {COLUMNS} FROM issues"))
    measure("ten columns", "jira", lambda: python_jira(FIELDS))
    measure("ten columns", "atlassian-python-api", lambda: atlassian(FIELDS))
    measure("keys", "jsmql", lambda: jsmql("SELECT issue_key FROM issues"))
    measure("keys", "jira", lambda: python_jira("key"))
    measure("keys", "atlassian-python-api", lambda: atlassian("key"))
    measure("comments", "jsmql", lambda: jsmql("SELECT issue_key, id, author_display_name, body, created FROM issue_comments"))
    measure("comments", "jira", lambda: python_jira(FIELDS, True))
    measure("comments", "atlassian-python-api", lambda: atlassian(FIELDS, True))
finally:
    site.kill()
