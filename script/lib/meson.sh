# Build directories. Sourced after common.sh.

# build_setup DIR OPTION...: configures DIR so, whatever it was before. A directory with exactly
# these options is left alone, so that nothing is built again; one that cannot be brought there
# is made anew.
build_setup()
{
    local dir=$1 want
    shift
    mkdir -p "$dir"
    want="CC=${CC:-} CFLAGS=${CFLAGS:-} LDFLAGS=${LDFLAGS:-} $*"
    if [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/.options" 2>/dev/null)" = "$want" ]; then
        return 0
    fi
    rm -f "$dir/.options"
    # The compiler and its flags are read from the environment at the first setup only, so other
    # ones need a clean start.
    rm -rf "$dir/meson-private" "$dir/meson-info" "$dir/build.ninja"
    if ! "$meson" setup "$dir" "$@" >"$dir/setup.log" 2>&1 </dev/null; then
        tail -n 30 "$dir/setup.log" >&2
        return 1
    fi
    printf '%s\n' "$want" >"$dir/.options"
}

# build_make DIR [TARGET...]: compiles, quietly when all is well.
build_make()
{
    local dir=$1 log=$1/ninja.log
    shift
    if ! /usr/bin/ninja -C "$dir" -j "$jobs" "$@" >"$log" 2>&1 </dev/null; then
        # Another Meson or a removed compiler: what was configured is of no use any more.
        ! grep -q "rebuilding 'build.ninja'" "$log" || rm -f "$dir/.options"
        # From the first fault on; the compiler's command line tells a reader nothing.
        sed -n -E '/^FAILED: |ERROR: |error: /,$p' "$log" |
            grep -v -E '^\[[0-9]+/[0-9]+\] |^(ccache |gcc |clang |cc )' | head -n 80 >&2
        return 1
    fi
    # Warnings are worth seeing although they do not stop this build.
    grep -A 8 -E 'warning:' "$log" >&2 || true
}
