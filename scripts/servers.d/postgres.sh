# shellcheck shell=bash disable=SC2154 # sourced by scripts/servers, whose variables it uses
# PostgreSQL: logging in to one, and running one of our own in a folder.

postgres_login() { # URL HOST PORT USER DATABASE
    local version startup reply
    if command -v psql >/dev/null; then
        version=$(PGCONNECT_TIMEOUT=4 psql --no-password -XAtqc 'SHOW server_version_num' "$1" \
            2>/dev/null </dev/null) || return 1
        [ "$version" -ge 150000 ]
        return
    fi
    # No client on this machine: a startup message by hand, which is let in where none needs to
    # say a password (AuthenticationOk, in the end ReadyForQuery), and a Terminate.
    startup=00030000$(hex user)00$(hex "$4")00$(hex database)00$(hex "$5")0000
    say_to "$2" "$3" "$(printf '%08x' $((${#startup} / 2 + 4)))$startup" 5800000004 || return 1
    reply=$(od -An -v -tx1 <&3 | tr -d ' \n')
    case "$reply" in 520000000800000000*5a0000000549) ;; *) return 1 ;; esac
}

find_postgres() {
    if ! look_for_postgres; then
        install_debian postgresql || true
        look_for_postgres || fail "PostgreSQL is missing: install version 15 or newer" \
            "(Debian: apt-get install postgresql; macOS: brew install postgresql@17)," \
            "or, where no server has to be broken, start Docker or set CREDITD_TEST_POSTGRES"
    fi
    local version
    version=$("$postgres_bin/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    [ "$version" -ge 15 ] || fail "PostgreSQL $version is too old: 15 or newer is needed"
    # PostgreSQL refuses to run as root.
    postgres_user=''
    if [ "$(id -u)" = 0 ]; then
        postgres_user=nobody
        if id postgres >/dev/null 2>&1; then postgres_user=postgres; fi
    fi
}

look_for_postgres() {
    local initdb
    # Debian keeps every version in a folder of its own, outside PATH.
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [ -x "$initdb" ] || initdb=$(command -v initdb) || return 1
    postgres_bin=$(dirname "$initdb")
}

# Runs one of PostgreSQL's programs, as the user it accepts, free of the caller's PG* variables.
postgres_program() {
    local program=$1
    shift
    local clean=(env -i PATH="$PATH" LC_ALL=C "$postgres_bin/$program" "$@")
    # From /, because the other user may have no right to be where we are.
    if [ -n "$postgres_user" ]; then
        (cd / && runuser -u "$postgres_user" -- "${clean[@]}")
    else
        "${clean[@]}"
    fi
}

start_postgres() { # HOME
    local home options since=$SECONDS
    [ -f "$1/port" ] || create_postgres "$1"
    home=$(cd "$1" && pwd -P)
    if runs "$(postgres_pid "$home")" "$home/data"; then return; fi
    if [ ! -f "$home/data/PG_VERSION" ]; then
        say "postgres: creating a database cluster in $1"
        # --no-sync spares this one-off writing alone; the server itself runs with fsync.
        postgres_program initdb --pgdata "$home/data" --username postgres --auth trust \
            --encoding UTF8 --locale C --no-sync >"$home/initdb.log" 2>&1 </dev/null || {
            cat "$home/initdb.log" >&2
            fail "initdb failed"
        }
    fi
    say "postgres: starting a private one in $1"
    # No socket file: its path would have to stay under 108 bytes. Shared memory as files of the
    # cluster: in /dev/shm it would outlive a server that was killed and removed.
    options="-p $(cat "$home/port") -c listen_addresses=127.0.0.1"
    options+=" -c unix_socket_directories= -c dynamic_shared_memory_type=mmap"
    options+=" ${CREDITD_POSTGRES_OPTIONS-}"
    postgres_program pg_ctl start --wait --timeout "$patience" --silent \
        --pgdata "$home/data" --log "$home/log" --options "$options" \
        >/dev/null 2>&1 </dev/null || {
        tail -n 20 "$home/log" >&2 || true
        fail "postgres did not start; its last words are above, all of them in $home/log"
    }
    say "postgres: ready after $((SECONDS - since)) s"
}

create_postgres() { # HOME
    local home=$1
    create "$home"
    [ -n "$postgres_user" ] || return 0
    give_to_postgres "$home" && return
    # A clone below /root: the other user has no way in, so the data lives elsewhere.
    rm -r "$home"
    home=$(mktemp -d "${TMPDIR:-/tmp}/creditd-postgres.XXXXXX")
    ln -s "$home" "$1"
    free_port >"$home/port"
    give_to_postgres "$home" || fail "user $postgres_user has no right to enter $home"
}

give_to_postgres() { # HOME ; no if the user cannot get there
    chown -R "$postgres_user" "$1"
    runuser -u "$postgres_user" -- test -w "$1"
}

stop_postgres() { # HOME
    runs "$(postgres_pid "$1")" "$(cd "$1" && pwd -P)/data" || return 0
    find_postgres
    postgres_program pg_ctl stop --mode fast --wait --timeout "$patience" --silent \
        --pgdata "$(cd "$1" && pwd -P)/data" >&2
}

# As if the machine had lost power: every process at once, nobody gets to say goodbye, and no
# shared memory or process id is left for the next start to trip over.
kill_postgres() { # HOME
    local home pid children
    home=$(cd "$1" && pwd -P)
    pid=$(postgres_pid "$home")
    runs "$pid" "$home/data" || return 0
    # Stopped first, so that it cannot have another child while we count them.
    kill -STOP "$pid"
    children=$(pgrep -P "$pid" 2>/dev/null || cat "/proc/$pid/task/$pid/children") || true
    # shellcheck disable=SC2086 # a list of numbers
    kill -KILL "$pid" $children 2>/dev/null || true
    # shellcheck disable=SC2086
    wait_until_gone "$pid" $children
    ipcrm -m "$(awk 'NR == 7 { print $2 }' "$home/data/postmaster.pid")" 2>/dev/null || true
    rm -f "$home/data/postmaster.pid"
}

postgres_pid() { # HOME
    head -n 1 "$1/data/postmaster.pid" 2>/dev/null || true
}

url_postgres() { # HOME
    echo "postgres://postgres@127.0.0.1:$(cat "$1/port")/postgres"
}
