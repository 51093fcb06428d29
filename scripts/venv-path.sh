#!/bin/sh
# Prints where this checkout's virtual environment lies.
#
# `.venv` in the checkout, if an unprivileged user can reach it there. A checkout under /root or another closed home can't be
# entered by the user that the daemons run as: then a folder under /var/lib/mailweir-venv, one for each checkout.
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

if reachable "$top"; then
    printf '%s/.venv\n' "$top"
else
    printf '/var/lib/mailweir-venv/%s\n' "$(printf '%s' "$top" | cksum | cut -d' ' -f1)"
fi
