# Sourced by the scripts: where the project is, how they speak, and one lock for what two runs at
# once must not do together.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1

# The distribution's tools, whatever else the caller's PATH holds.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
python=/usr/bin/python3
meson=/usr/bin/meson
jobs=$(nproc 2>/dev/null || echo 2)

say()
{
    printf '%s\n' "$*" >&2
}

die()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# locked NAME COMMAND...: runs the command alone among all runs in this tree. A lock that this
# process tree already holds is not taken again.
locked()
{
    local name=$1 held
    shift
    held=ADIT_LOCK_$name
    if [ -n "${!held:-}" ]; then
        "$@"
        return
    fi
    mkdir -p build
    (
        flock 9 || exit 1
        export "$held=1"
        "$@" 9>&-
    ) 9>"build/.lock-$name"
}
