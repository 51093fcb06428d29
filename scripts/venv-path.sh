#!/bin/sh
# Prints the path of this checkout's virtual environment.
#
# That is `.venv` in the checkout, on two conditions: the daemons' unprivileged user can reach it and read the project there, and
# the first line of a script can name it. pip writes `#!/path/.venv/bin/python`, without white space, in at most 127 bytes.
# Otherwise it is a folder under /var/lib/mailweir-venv, one for each checkout: for a checkout under /root or another closed home,
# for example, or one made with umask 077.
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

# Files that Python creates itself don't count: the project works without them.
readable() {
    cd "$1"
    [ -z "$(find mailweir milter admin_cli postfix gmail_sync -name __pycache__ -prune -o \( ! -perm -o=r -o -type d ! -perm -o=x \) -print -quit)" ]
}

# Plain characters only: others may have effects in make, a shell or sudo.
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
