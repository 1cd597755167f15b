#!/usr/bin/env python3
"""Writes migrations.c from the SQL files named on the command line: embed.py OUT FILE..."""
import os
import sys


def c_string(text):
    lines = []
    for line in text.splitlines():
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'     "{escaped}\\n"')
    return "\n".join(lines)


def main():
    out, files = sys.argv[1], sys.argv[2:]
    rows = []
    for number, path in enumerate(files, 1):
        name = os.path.splitext(os.path.basename(path))[0]
        if not name.startswith(f"{number:04d}-"):
            sys.exit(f"{path}: migration {number} must be named {number:04d}-SOMETHING.sql")
        with open(path, encoding="utf-8") as f:
            rows.append(f'    {{"{name}",\n{c_string(f.read())}}},')
    with open(out, "w", encoding="utf-8") as f:
        f.write('#include "store/migration.h"\n\nconst struct migration migrations[] = {\n')
        f.write("\n".join(rows))
        f.write("\n};\nconst size_t n_migrations = sizeof(migrations) / sizeof(migrations[0]);\n")


main()
