# Running and counting checks. Sourced after common.sh and meson.sh.
#
# Each stage adds lines "PASSED FAILED" to the file $results; stages_finish adds them up and prints
# the closing line. With ADIT_RESULTS in the environment the counts go to that file and the
# closing line is left to whoever set it.

stages_begin()
{
    results=${ADIT_RESULTS:-}
    finished=
    # What the tests are started with, such as setarch.
    runner=()
    [ -n "$results" ] || results=$(mktemp)
    trap stages_exit EXIT
}

# The closing line comes however the script ends; one that ends early has failed.
stages_exit()
{
    if [ -z "$finished" ]; then
        record 0 1
        # Without awk or Python, since there may be none yet.
        local passed=0 failed=0 good bad
        while read -r good bad; do
            passed=$((passed + good)) failed=$((failed + bad))
        done <"$results"
        [ -n "${ADIT_RESULTS:-}" ] || echo "$passed passed, $failed failed"
    fi
    [ -n "${ADIT_RESULTS:-}" ] || rm -f "$results"
}

stages_finish()
{
    finished=1
    if [ -n "${ADIT_RESULTS:-}" ]; then
        awk '{ failed += $2 } END { exit failed > 0 || NR == 0 }' "$results"
    else
        "$python" script/lib/count.py sum "$results"
    fi
}

record()
{
    printf '%s %s\n' "$1" "$2" >>"$results"
}

# check NAME COMMAND...: one check; its output is shown when it fails.
check()
{
    local name=$1 log start=$SECONDS
    shift
    log=$(mktemp)
    if "$@" >"$log" 2>&1 </dev/null; then
        say "ok    $name ($((SECONDS - start)) s)"
        record 1 0
    else
        say "FAIL  $name ($((SECONDS - start)) s)"
        tail -n 120 "$log" | sed 's/^/      /' >&2
        record 0 1
    fi
    rm -f "$log"
}

# counted NAME KIND FILE STATUS: counts what a runner wrote; a runner that failed or wrote nothing
# without a failed test to show for it is a failure itself.
counted()
{
    local name=$1 kind=$2 file=$3 status=$4 passed=0 failed=0 excused=0 counts
    if [ -f "$file" ] && counts=$("$python" script/lib/count.py "$kind" "$file"); then
        read -r passed failed excused <<<"$counts"
    fi
    if [ "$failed" -eq 0 ] && { [ "$status" -ne "$excused" ] || [ "$passed" -eq 0 ]; }; then
        say "$name ended with status $status"
        failed=1
    fi
    if [ "$failed" -eq 0 ]; then
        say "ok    $name: $passed passed"
    else
        say "FAIL  $name: $passed passed, $failed failed"
    fi
    record "$passed" "$failed"
}

# unit_tests NAME DIR ARGUMENT...: the unit tests and corpus replays of a build directory.
unit_tests()
{
    local name=$1 dir=$2 status=0
    shift 2
    rm -f "$dir/meson-logs/testlog.json"
    "${runner[@]}" "$meson" test -C "$dir" --num-processes "$jobs" "$@" >"$dir/test.log" 2>&1 </dev/null ||
        status=$?
    [ -f "$dir/meson-logs/testlog.json" ] || tail -n 60 "$dir/test.log" >&2
    counted "$name" meson "$dir/meson-logs/testlog.json" "$status"
}

# pytest_tests NAME PROGRAM DIR ARGUMENT...: the tests of DIR with that program.
pytest_tests()
{
    local name=$1 program=$2 dir=$3 status=0 report
    shift 3
    report=$(mktemp)
    ADIT_BIN=$program "$python" -B -m pytest -c tests/pytest.ini "$dir" \
        -q --color=no --junitxml="$report" "$@" </dev/null >&2 || status=$?
    counted "$name" pytest "$report" "$status"
    rm -f "$report"
}

# integration_tests NAME PROGRAM ARGUMENT...
integration_tests()
{
    local name=$1 program=$2
    shift 2
    pytest_tests "$name" "$program" tests/integration "$@"
}

# browser_tests NAME PROGRAM ARGUMENT...: with what they need from npm. Where nothing of it is
# there and the registry cannot be reached, they are left out, which is said.
browser_tests()
{
    local name=$1 program=$2
    shift 2
    if ! npm_ready tests/browser && ! npm_reachable; then
        say "LEFT OUT  $name: the npm registry cannot be reached"
        return 0
    fi
    check 'npm packages of the browser tests' npm_install tests/browser
    npm_ready tests/browser || return 0
    pytest_tests "$name" "$program" tests/browser "$@"
}
