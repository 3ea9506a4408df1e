# shellcheck shell=bash disable=SC2154 # sourced by scripts/servers, whose variables it uses
# RabbitMQ: logging in to one, and running one of our own in a folder.

# Says everything that a client says, from the greeting to the goodbye, in one go. A
# connection.open-ok among the frames that come back means that login and virtual host are good.
amqp_login() { # HOST PORT USER PASSWORD VHOST
    local plain frame LC_ALL=C
    plain=00$(hex "$3")00$(hex "$4")
    plain=$(printf '%08x' $((${#plain} / 2)))$plain
    say_to "$1" "$2" 414d515000000901 \
        "$(frame "000a000b 00000000 05$(hex PLAIN) $plain 05$(hex en_US)")" \
        "$(frame '000a001f 0001 00002000 0000')" \
        "$(frame "000a0028 $(printf '%02x' ${#5})$(hex "$5") 00 00")" \
        "$(frame '000a0032 00c8 00 0000 0000')" || return 1
    # Frames end in 0xce; `read` leaves out the zero bytes.
    while IFS= read -r -t 4 -d $'\xce' frame <&3; do
        case "$frame" in $'\x01\x05\x0a\x29') return ;; esac
    done
    return 1
}

frame() {
    local payload=${1// /}
    printf '010000%08x%sce' $((${#payload} / 2)) "$payload"
}

find_rabbitmq() {
    if ! look_for_rabbitmq; then
        install_debian rabbitmq-server || true
        look_for_rabbitmq || fail "RabbitMQ is missing: install version 3.10 or newer" \
            "(Debian: apt-get install rabbitmq-server; macOS: brew install rabbitmq)," \
            "or, where no server has to be broken, start Docker or set CREDITD_TEST_AMQP"
    fi
}

look_for_rabbitmq() {
    local server
    # Debian's program in PATH insists on its own user and folders; the one beneath does not.
    server=$(printf '%s\n' /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server |
        sort -V | tail -n 1)
    [ -x "$server" ] || server=$(command -v rabbitmq-server) || return 1
    rabbitmq_bin=$(dirname "$server")
    command -v epmd >/dev/null
}

# Runs one of RabbitMQ's programs for the node in HOME and replaces the shell with it. Everything
# that would otherwise come from /etc/rabbitmq or a common folder is named here.
rabbitmq_program() { # HOME PROGRAM ARGS…
    local home=$1 program=$2 port
    shift 2
    port=$(cat "$home/port")
    cd "$home" || exit
    exec env -i PATH="$PATH" LC_ALL=C.UTF-8 HOME="$home" \
        ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((port + 2)) \
        RABBITMQ_NODENAME="creditd-$port@localhost" \
        RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$port" \
        RABBITMQ_DIST_PORT=$((port + 1)) \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
        RABBITMQ_MNESIA_BASE="$home/data" RABBITMQ_LOG_BASE="$home" \
        RABBITMQ_CONF_ENV_FILE="$home/env.conf" RABBITMQ_CONFIG_FILE="$home/rabbitmq.conf" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$home/plugins" RABBITMQ_PID_FILE="$home/node.pid" \
        "$rabbitmq_bin/$program" "$@"
}

start_rabbitmq() { # HOME
    local home=$1 port pid since=$SECONDS
    [ -f "$home/port" ] || create_rabbitmq "$home"
    if ! rabbitmq_runs "$home"; then
        kill_epmd "$home"
        port=$(cat "$home/port")
        say "rabbitmq: starting a private one in $home"
        # The Erlang port mapper that a node starts by itself outlives it and is shared by all
        # nodes of the machine. This one belongs to this node and ends with it.
        in_background "$home/epmd" epmd -port $((port + 2)) -address 127.0.0.1
        # The argument does nothing but tell our process from others (see `runs`).
        in_background "$home/server" rabbitmq_program "$home" rabbitmq-server -creditd "$home"
    fi
    pid=$(cat "$home/server.pid")
    wait_for "rabbitmq: starting" "$pid" answers "$(url_rabbitmq "$home")" || {
        tail -n 20 "$home/server.log" >&2
        fail "rabbitmq did not start; its last words are above, all of them in $home"
    }
    say "rabbitmq: ready after $((SECONDS - since)) s"
}

create_rabbitmq() { # HOME
    create "$1" 2
    : >"$1/env.conf"
    : >"$1/rabbitmq.conf"
    # No plugin: nothing else to load, no other port to open.
    echo '[].' >"$1/plugins"
}

# In a process group of its own, so that a Ctrl-C meant for a test does not reach it, and without
# our stdout and stderr, so that nobody who reads those waits for the server's end.
in_background() { # NAME COMMAND…
    local name=$1
    shift
    (
        set -m
        "$@" >"$name.log" 2>&1 </dev/null &
        echo $! >"$name.pid"
    )
}

rabbitmq_runs() { # HOME
    runs "$(cat "$1/server.pid" 2>/dev/null)" "-creditd $1"
}

stop_rabbitmq() { # HOME
    local pid
    if rabbitmq_runs "$1"; then
        pid=$(cat "$1/server.pid")
        kill -TERM "$pid"
        wait_until_gone "$pid"
    fi
    kill_epmd "$1"
}

kill_rabbitmq() { # HOME
    local pid
    if rabbitmq_runs "$1"; then
        pid=$(cat "$1/server.pid")
        kill -KILL -- "-$pid"
        wait_until_gone "$pid" "$(cat "$1/node.pid" 2>/dev/null)"
    fi
    kill_epmd "$1"
}

kill_epmd() { # HOME
    local pid
    pid=$(cat "$1/epmd.pid" 2>/dev/null) || return 0
    if runs "$pid" "epmd -port "; then
        kill -KILL "$pid"
        wait_until_gone "$pid"
    fi
}

ctl_rabbitmq() { # HOME ARGS…
    find_rabbitmq
    rabbitmq_program "$1" rabbitmqctl "${@:2}"
}

url_rabbitmq() { # HOME
    echo "amqp://guest:guest@127.0.0.1:$(cat "$1/port")/%2f"
}
