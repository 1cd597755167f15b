"""usage: no_dashboard.py OUTPUT.c    Writes the C source of a program without a dashboard."""
import sys
from pathlib import Path

SOURCE = """\
#include "web/dashboard_files.h"

const struct dashboard_file dashboard_page = {.path = NULL};
const struct dashboard_file dashboard_files[] = {{.path = NULL}};
const size_t dashboard_n_files = 0;
"""

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(SOURCE)
