#!/bin/sh
# Prints where this checkout's virtual environment lies.
#
# `.venv` in the checkout, if the unprivileged user that the daemons run as can reach it and read the project there, and if the first
# line of a script can name it: pip writes `#!/path/.venv/bin/python`, which may hold no white space, and 127 bytes. Else, as for
# a checkout under /root or another closed home, or one made with umask 077, a folder under /var/lib/mailweir-venv, one for each checkout.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)

reachable() {
    folder=$1
    while :; do
        case $(stat -c %A "$folder") in
        *x | *t) ;;
        *) return 1 ;;
        esac
        [ "$folder" != / ] || return 0
        folder=$(dirname "$folder")
    done
}

# Files that Python makes by itself don't count: it can do without them.
readable() {
    cd "$1"
    [ -z "$(find mailweir milter admin_cli postfix gmail_sync -name __pycache__ -prune -o \( ! -perm -o=r -o -type d ! -perm -o=x \) -print -quit)" ]
}

# Plain characters only: others may mean something to make, a shell or sudo.
nameable() {
    case $1 in
    *[!A-Za-z0-9/._+@=~-]*) return 1 ;;
    esac
    [ ${#1} -le 100 ]
}

if nameable "$top" && reachable "$top" && readable "$top"; then
    printf '%s/.venv\n' "$top"
else
    printf '/var/lib/mailweir-venv/%s\n' "$(printf '%s' "$top" | cksum | cut -d' ' -f1)"
fi
