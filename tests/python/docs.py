"""Runs the Python of the documentation on the demo site, as somebody who copies it.

Usage: python tests/python/docs.py path/to/jsmql path/to/libjsmql.so

Every block of a page runs in order, in one namespace; only the address and the account are those of the demo site.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
# How the server of the page is started, besides the address of its site.
PAGES = {
    "docs/python.md": ("URL={site}", "--pass-through"),
    "README.md": ("URL={site};User=dana@demo.example;APIToken=demo-token",),
}
JSMQL, LIBRARY = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])


def start(*arguments):
    process = subprocess.Popen([JSMQL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, process.stdout.readline().strip()


def blocks(page):
    text = (ROOT / page).read_text()
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text[: match.start()].count("\n") + 2, match[1]


def run(page, replaced):
    names = {}
    for line, block in blocks(page):
        for written, meant in replaced.items():
            block = block.replace(written, meant)
        # Errors name the line of the page.
        exec(compile("\n" * (line - 1) + block, str(ROOT / page), "exec"), names)
        print(f"ok   {page}:{line}")
    assert names, f"{page} has no Python"


def main():
    demo, site = start("demo", "--date", "2026-10-31", "--port", "0")
    folder = tempfile.TemporaryDirectory()
    subprocess.run([JSMQL, "adbc", "install", "--library", LIBRARY, "--folder", folder.name], check=True)
    os.environ["ADBC_DRIVER_PATH"] = folder.name
    os.chdir(folder.name)
    try:
        for page, (connection, *more) in PAGES.items():
            served, server = start("serve", "--bind", "127.0.0.1:0", "--connection", connection.format(site=site), *more)
            try:
                run(
                    page,
                    {
                        "https://acme.atlassian.net": site,
                        "grpc://127.0.0.1:50051": server,
                        "ann@acme.example": "dana@demo.example",
                        '"…"': '"demo-token"',
                    },
                )
            finally:
                served.terminate()
                served.wait()
    finally:
        demo.terminate()


main()
