# shellcheck shell=bash
# What the scripts share. Sourced, never run: messages, Debian packages, and servers that last
# exactly as long as the script that uses them.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "error: $*"
    exit 1
}

heading() {
    say
    say "==> $*"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Installs Debian packages, or answers no where that cannot be done without asking for a password.
install_debian() {
    command -v apt-get >/dev/null || return 1
    as_root true 2>/dev/null || return 1
    say "installing Debian packages: $*"
    (
        # A server that the package starts by itself would take the default ports and stay for
        # ever. Debian asks this file first; 101 means no.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap 'as_root rm -f "$policy"' EXIT
            as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy"
        fi
        as_root apt-get update -qq &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
                -o DPkg::Lock::Timeout=60 "$@"
    ) >&2 </dev/null
}

# A Rust build needs cargo, and a C compiler to link with and for the cryptography of TLS.
need_toolchain() {
    command -v cargo >/dev/null ||
        fail "cargo is missing: install Rust as https://rustup.rs says, and open a new shell"
    command -v cc >/dev/null || install_debian gcc libc6-dev ||
        fail "a C compiler (cc) is missing: install gcc (macOS: xcode-select --install)"
}

# Finds or starts both servers; whatever this starts is stopped when the calling script ends, in
# whichever way. A state folder of its own keeps two runs in one clone from stopping each other's.
use_servers() {
    export CREDITD_SERVERS_STATE="$root/target/servers/run-$$"
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap stop_servers EXIT
    local lines
    lines=$("$root/scripts/servers" ensure)
    eval "$lines"
}

stop_servers() {
    local code=$?
    trap '' INT TERM
    "$root/scripts/servers" stop || say "error: a server that this run started may still be running"
    exit "$code"
}
