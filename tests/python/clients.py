"""The demo site as other people's clients see it, and jsmql as it sees the same site.

Usage: python tests/python/clients.py path/to/jsmql

Two independent Python packages read the demo site; what they get must be what jsmql gets by SQL. They judge the demo site: where it
departs from the API that these packages were written for, they fail here.
"""

import json
import subprocess
import sys

from atlassian import ServiceDesk
from jira import JIRA

USER, TOKEN = "dana@demo.example", "demo-token"
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def rows(url, sql):
    """The rows of a statement, as jsmql reads them from the site."""
    connection = f"URL={url};User={USER};APIToken={TOKEN}"
    command = [JSMQL, "--connection", connection, "--format", "ndjson", "-c", sql]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return [json.loads(line) for line in out.splitlines()]


def same(theirs, ours):
    assert theirs == ours, f"{theirs!r}\n!=\n{ours!r}"


@check
def jira_signs_in_and_lists_the_desks(url, jira, desk):
    assert jira.server_info()["deploymentType"] == "Cloud"
    assert jira.myself()["displayName"] == "Dana Demo"
    assert jira.supports_service_desk()
    theirs = sorted((d.id, d.projectKey, d.projectName) for d in jira.service_desks())
    ours = rows(url, "SELECT id, project_key, project_name FROM service_desks ORDER BY id")
    same(theirs, [(r["id"], r["project_key"], r["project_name"]) for r in ours])
    same(jira.service_desk("2").projectKey, "HR")


@check
def jira_lists_request_types(url, jira, desk):
    theirs = sorted((t.id, t.name) for t in jira.request_types(jira.service_desk("1")))
    ours = rows(url, "SELECT id, name FROM request_types WHERE service_desk_id = '1' ORDER BY id")
    same(theirs, [(r["id"], r["name"]) for r in ours])


@check
def a_wrong_token_is_refused(url, jira, desk):
    try:
        JIRA(url, basic_auth=(USER, "wrong"), max_retries=0).myself()
    except Exception as error:
        assert getattr(error, "status_code", None) == 401, error
    else:
        raise AssertionError("a wrong token was taken")


@check
def atlassian_reads_what_the_site_is(url, jira, desk):
    info = desk.get_info()
    ours = rows(url, "SELECT version, is_licensed_for_use FROM server_info")
    same([{"version": info["version"], "is_licensed_for_use": info["isLicensedForUse"]}], ours)
    same([d["id"] for d in desk.get_service_desks()], ["1", "2", "3"])


@check
def atlassian_reads_requests(url, jira, desk):
    theirs = [r["issueKey"] for r in desk.get_my_customer_requests()]
    ours = rows(url, f"SELECT issue_key FROM requests LIMIT {len(theirs)}")
    same(theirs, [r["issue_key"] for r in ours])
    for key in theirs[:10]:
        one = desk.get_customer_request(key)
        (row,) = rows(url, f"SELECT issue_id, summary, status, reporter_account_id, field_values FROM requests WHERE issue_key = '{key}'")
        same(one["issueId"], row["issue_id"])
        same(one["summary"], row["summary"])
        same(one["currentStatus"]["status"], row["status"])
        same(one["reporter"]["accountId"], row["reporter_account_id"])
        same(one["requestFieldValues"], row["field_values"])
        same(desk.get_customer_request_status(key), row["status"])


@check
def atlassian_reads_what_hangs_on_a_request(url, jira, desk):
    key = "ITSM-9"

    def everything(get, *arguments):
        found, start = [], 0
        while True:
            page = get(*arguments, start=start, limit=50)
            found += page
            if not page:
                return found
            start += len(page)

    where = f"WHERE issue_key = '{key}'"
    comments = everything(desk.get_request_comments, key)
    same(
        [(c["id"], c["body"], c["public"], c["created"]["epochMillis"]) for c in comments],
        [(r["id"], r["body"], r["public"], r["ms"]) for r in rows(url, f"SELECT id, body, public, to_unixtime(created) * 1000 + date_part('millisecond', created)::bigint % 1000 AS ms FROM request_comments {where} ORDER BY id")],
    )
    assert len(comments) > 50, "a request with more than a page of comments"
    participants = everything(desk.get_request_participants, "ITSM-12")
    same(
        sorted(p["accountId"] for p in participants),
        [r["account_id"] for r in rows(url, "SELECT account_id FROM request_participants WHERE issue_key = 'ITSM-12' ORDER BY 1")],
    )
    slas = desk.get_sla(key)
    same(
        [(s["id"], s["name"], len(s["completedCycles"])) for s in slas],
        [(r["sla_id"], r["sla_name"], r["n"]) for r in rows(url, f"SELECT sla_id, sla_name, count(*) AS n FROM request_sla_cycles {where} AND cycle = 'completed' GROUP BY 1, 2 ORDER BY 1")],
    )
    same(desk.get_sla_by_id(key, slas[0]["id"])["name"], slas[0]["name"])
    approvals = desk.get_approvals("ITSM-12")
    same(
        [(a["id"], a["finalDecision"], len(a["approvers"])) for a in approvals],
        [(r["id"], r["final_decision"], r["n"]) for r in rows(url, "SELECT a.id, a.final_decision, count(*) AS n FROM request_approvals a JOIN request_approvers p ON p.issue_key = a.issue_key AND p.approval_id = a.id WHERE a.issue_key = 'ITSM-12' GROUP BY 1, 2")],
    )
    transitions = desk.get_customer_transitions("ITSM-179")
    same(
        [(t["id"], t["name"]) for t in transitions["values"]],
        [(r["id"], r["name"]) for r in rows(url, "SELECT id, name FROM request_transitions WHERE issue_key = 'ITSM-179' ORDER BY id")],
    )


@check
def atlassian_reads_desks(url, jira, desk):
    queues = desk.get_queues("1", include_count=True)["values"]
    same(
        [(q["id"], q["name"], q["issueCount"]) for q in queues],
        [(r["id"], r["name"], r["issue_count"]) for r in rows(url, "SELECT id, name, issue_count FROM queues WHERE service_desk_id = '1' ORDER BY id")],
    )
    issues = desk.get_issues_in_queue("1", "1001", limit=50)["values"]
    ours = rows(url, "SELECT issue_key, status FROM queue_issues WHERE service_desk_id = '1' AND queue_id = '1001' LIMIT 50")
    same([(i["key"], i["fields"]["status"]["name"]) for i in issues], [(r["issue_key"], r["status"]) for r in ours])
    organizations = desk.get_organisations()["values"]
    same(
        [(o["id"], o["name"]) for o in organizations],
        [(r["id"], r["name"]) for r in rows(url, "SELECT id, name FROM organizations ORDER BY id")],
    )
    members = desk.get_users_in_organization("5")["values"]
    same(
        sorted(m["displayName"] for m in members),
        [r["display_name"] for r in rows(url, "SELECT display_name FROM organization_users WHERE organization_id = '5' ORDER BY 1")],
    )
    fields = desk.get_request_type_fields("1", "103")["requestTypeFields"]
    same(
        [(f["fieldId"], f["required"]) for f in fields],
        [(r["field_id"], r["required"]) for r in rows(url, "SELECT field_id, required FROM request_type_fields WHERE service_desk_id = '1' AND request_type_id = '103' AND visible")],
    )
    customers = desk.get_customers("3", limit=50)["values"]
    same(len(customers), rows(url, "SELECT count(*) AS n FROM service_desk_customers WHERE service_desk_id = '3'")[0]["n"])


def main():
    site = subprocess.Popen([JSMQL, "demo", "--date", "2026-10-31", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = site.stdout.readline().strip()
        jira = JIRA(url, basic_auth=(USER, TOKEN), max_retries=0)
        desk = ServiceDesk(url=url, username=USER, password=TOKEN, cloud=True)
        failed = 0
        for function in CHECKS:
            try:
                function(url, jira, desk)
                print(f"{function.__name__}: ok")
            except Exception as error:  # every check runs, whatever the others say
                failed += 1
                print(f"{function.__name__}: FAILED: {type(error).__name__}: {error}")
        print(f"\n{len(CHECKS) - failed} passed, {failed} failed")
        return 1 if failed else 0
    finally:
        site.kill()


if __name__ == "__main__":
    JSMQL = sys.argv[1]
    sys.exit(main())
