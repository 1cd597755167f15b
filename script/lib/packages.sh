# The one list of Debian packages, and their installer. Sourced after common.sh.

packages_build=(
    gcc libc6-dev meson ninja-build pkg-config
    libuv1-dev            # event loop
    libssl-dev            # TLS, crypto
    node-llhttp           # HTTP/1 parser, as C sources
    libnghttp2-dev        # HTTP/2
    libjansson-dev        # JSON
    libjwt-dev            # tickets
    libcrypt-dev          # passwords
    libsqlite3-dev        # embedded store
    libyaml-dev           # configuration, templates
    libqrencode-dev       # QR codes
)
# Faster AES-GCM, linked statically; for this architecture only.
[ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ] || packages_build+=(libipsec-mb-dev)
# What bundles the dashboard. Debian has Node and npm as two packages; where both are there already,
# from wherever, they stay.
command -v node >/dev/null && command -v npm >/dev/null || packages_build+=(nodejs npm)

packages_test=(
    "${packages_build[@]}"
    libcmocka-dev
    clang clang-format clang-tidy libclang-rt-14-dev cppcheck universal-ctags
    python3 python3-pytest python3-yaml python3-requests python3-websocket
    # Other people's programs, against which the product is proved.
    curl netcat-openbsd socat openssh-client openssh-server nghttp2-client dnsmasq-base
    rsync git             # what people run over ssh
    zsh fish              # shells that complete
    sqlite3               # makes the backups of docs/OPERATING.md
    openssh-tests         # OpenSSH's own regression scripts
    php-cli php-xdebug    # a debugger that calls back
    jupyter-notebook python3-ipykernel
    mandoc iproute2 procps gdb
)

# The peers of bench/run, which installs nothing itself but names these; librsvg2-bin draws its
# chart as a PNG to look at.
packages_bench=(haproxy stunnel4 nginx-light wrk openssl openssh-client openssh-server iproute2
    librsvg2-bin)

# What the browser tests drive, with the Node that is there for the build.
packages_browser=(chromium)

# The demo's web service runs on the Python that Meson brings along.
packages_demo=("${packages_build[@]}")

# packages_missing NAME...: prints those that are not installed.
packages_missing()
{
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        awk 'BEGIN { for (i = 1; i < ARGC; i++) want[ARGV[i]] = i; ARGC = 1 }
             $2 == "installed" { delete want[$1] }
             END { for (name in want) print want[name], name }' "$@" |
        sort -n | cut -d ' ' -f 2
}

# packages_install NAME...: makes sure that they are installed. Without anything missing it says
# nothing and touches neither network nor package database.
packages_install()
{
    local missing
    command -v dpkg-query >/dev/null ||
        die "this is not a Debian system: install the equivalents of these packages: $*"
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" -eq 0 ] || locked packages packages_fetch "$@"
}

packages_fetch()
{
    local missing as_root=() log tries
    # Another run may have installed them while this one waited for the lock.
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "these packages are missing, and installing them needs" \
            "root or sudo: ${missing[*]}"
        as_root=(sudo)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C)

    say "installing ${#missing[@]} packages: ${missing[*]}"
    log=build/packages.log
    : >"$log"
    for ((tries = 1; ; tries++)); do
        if "${as_root[@]}" apt-get -qq update >>"$log" 2>&1 </dev/null &&
            "${as_root[@]}" apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 \
                -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
                install "${missing[@]}" >>"$log" 2>&1 </dev/null; then
            break
        fi
        # Somebody else's apt (unattended upgrades) may hold the lists, for which apt cannot wait.
        if [ "$tries" -ge 60 ] || ! tail -n 4 "$log" | grep -q 'Could not get lock'; then
            tail -n 20 "$log" >&2
            die "could not install: ${missing[*]}"
        fi
        sleep 5
    done
    mapfile -t missing < <(packages_missing "$@")
    [ "${#missing[@]}" -eq 0 ] || die "still missing after installation: ${missing[*]}"
}

# npm_ready DIR: whether DIR/node_modules is what DIR/package-lock.json says.
npm_ready()
{
    [ "$(cat "$1/node_modules/.installed" 2>/dev/null)" = "$(sha256sum <"$1/package-lock.json")" ]
}

# npm_reachable: whether the npm registry answers. A machine may well have a mirror of Debian and
# nothing else. Asks for one of the packages, because not every mirror of npm knows `npm ping`.
npm_reachable()
{
    npm view picocolors version --fetch-retries=1 --fetch-timeout=10000 >/dev/null 2>&1 </dev/null
}

# npm_install DIR: brings DIR/node_modules to what DIR/package-lock.json says. When it is there
# already, nothing is done and no network is used.
npm_install()
{
    locked npm npm_fetch "$1"
}

npm_fetch()
{
    local dir=$1
    ! npm_ready "$dir" || return 0
    timeout 300 npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund \
        --prefer-offline || return 1
    sha256sum <"$dir/package-lock.json" >"$dir/node_modules/.installed"
}
