#!/usr/bin/env bash
# System packages on Debian and its kin. `install.sh run`: what `make run` needs; `install.sh test`: and what `make test` can use.
# Does nothing, and asks no server, where everything is there.
set -euo pipefail
what="${1:-run}"
packages=()

need() { # need <package> <command...>: the package, unless the command succeeds
    local package="$1"
    shift
    "$@" >/dev/null 2>&1 || packages+=("$package")
}

have_postgres() { command -v initdb || compgen -G "/usr/lib/postgresql/*/bin/initdb"; }
have_nginx() { command -v nginx || [ -x /usr/sbin/nginx ]; }
have_pgbouncer() { command -v pgbouncer || [ -x /usr/sbin/pgbouncer ]; }
have_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

need make command -v make
need python3 python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'
need python3-venv python3 -c 'import ensurepip, venv'
if [ "$what" = test ]; then
    need chromium have_chromium
    need postgresql have_postgres
    need nginx have_nginx
    need redis-server command -v redis-server
    need pgbouncer have_pgbouncer
fi
if [ ${#packages[@]} -eq 0 ]; then
    exit 0
fi

sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
echo "Installing ${packages[*]}."
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
