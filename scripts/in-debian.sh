#!/bin/sh
# Runs a command on a copy of this checkout in a bare Debian. Its version may differ from this machine's.
#
#   scripts/in-debian.sh trixie make test
#
# Called by `make test-debian12` and `make test-debian13`, as root. debootstrap makes the Debian at the first run, and it is kept
# with everything that is installed in it: remove its folder for a fresh one. The command runs in namespaces of its own for mounts
# and processes. So nothing stays mounted and no process is left, however it ends. The network is this machine's. The command gets
# the environment, the registries' settings of pip, npm and apt on this machine, and this machine's ../shared (or
# MAILWEIR_SHARED), read-only.
set -eu
umask 022

suite=$1
shift
top=$(cd "$(dirname "$0")/.." && pwd)
root=${MAILWEIR_DEBIANS:-/var/cache/mailweir-debian}/$suite
shared=${MAILWEIR_SHARED:-$top/../shared}
copy=$root/srv/mailweir
pip_files="/etc/pip.conf /etc/xdg/pip/pip.conf $HOME/.config/pip/pip.conf $HOME/.pip/pip.conf"

say() { printf 'in-debian: %s\n' "$*"; }
die() { printf 'in-debian: %s\n' "$*" >&2; exit 1; }

# Runs a command in namespaces that end with this script, even if the script is killed: then the kernel ends everything in them,
# and unmounts. The command runs in the background, so that a signal to the script doesn't wait for its end.
contained() {
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$@" 9>&- &
    inside=$!
    trap 'kill -KILL $inside 2>/dev/null; exit 130' INT
    trap 'kill -KILL $inside 2>/dev/null; exit 143' TERM HUP
    ended=0
    wait $inside || ended=$?
    trap - INT TERM HUP
    return $ended
}

# Prints one of apt's sources on this machine: the origin of Debian's main archive (label Debian), or of its security updates.
archive() {
    # shellcheck disable=SC2016  # apt's own $(…)
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
        awk -v label="$1" '$1 == label { print $2; exit }'
}

make_root() {
    [ -n "$(archive Debian)" ] || apt-get update -q >/dev/null || die "apt-get update failed; see its message above"
    uri=$(archive Debian)
    [ -n "$uri" ] || die "apt knows no archive of Debian on this machine"
    if ! command -v debootstrap >/dev/null; then
        say "installing the Debian package debootstrap"
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends debootstrap </dev/null >/dev/null || die "apt-get could not install debootstrap"
    fi
    say "making a bare Debian ($suite) in $root: some minutes, once"
    rm -rf --one-file-system "$root.new"
    mkdir -p "$root.new"
    contained debootstrap --variant=minbase --include=make,ca-certificates "$suite" "$root.new" "$uri" ||
        die "debootstrap failed; see its message above, and $root.new/debootstrap/debootstrap.log"
    {
        printf 'deb %s %s main\ndeb %s %s-updates main\n' "$uri" "$suite" "$uri" "$suite"
        uri=$(archive Debian-Security)
        [ -z "$uri" ] || printf 'deb %s %s-security main\n' "$uri" "$suite"
    } >"$root.new/etc/apt/sources.list"
    mv "$root.new" "$root"
}

# Prints files and folders of this machine that pip's settings name (files or environment): certificates, constraints, wheels.
named_by_pip() {
    # shellcheck disable=SC2086  # a list of words on purpose
    { cat $pip_files 2>/dev/null || true; env; } | sed -nE 's/^(PIP_[A-Z_]+|[a-z-]+) *= *//p' | tr ' ' '\n' |
        sed -nE 's|^(file://)?(/.*)|\2|p' | sed 's|/simple/*$||' | sort -u
}

# Copies this machine's settings for the registries: proxies, certificates that the admin trusts, the files of pip and npm.
copy_settings() {
    apt-config dump | grep -E '^Acquire::(http|https|Check-[A-Za-z-]+)(::| )' >"$root/etc/apt/apt.conf.d/50this-machine" || true
    for file in /etc/resolv.conf /etc/hosts /usr/local/share/ca-certificates/*.crt $pip_files /etc/npmrc "$HOME"/.npmrc; do
        [ -f "$file" ] || continue
        case $file in
        "$HOME"/*) there=$root/root${file#"$HOME"} ;;
        *) there=$root$file ;;
        esac
        mkdir -p "$(dirname "$there")"
        cp "$file" "$there"
    done
    for file in $(named_by_pip); do
        [ ! -f "$file" ] || [ -e "$root$file" ] || { mkdir -p "$root$(dirname "$file")" && cp "$file" "$root$file"; }
    done
    chroot "$root" update-ca-certificates >/dev/null 2>&1 || die "update-ca-certificates failed in $root"
}

# Copies the current files, committed or not, over those of the last run; the results of `make setup` there stay.
copy_checkout() {
    mkdir -p "$copy"
    find "$copy" -mindepth 1 -depth ! -path "$copy/.venv*" ! -path '*/node_modules*' \( ! -type d -o -empty \) -delete
    tar -C "$top" -cf "$root.tar" --exclude-vcs --exclude='./.venv*' --exclude=./build --exclude=./dist --exclude=./bench/build \
        --exclude=node_modules --exclude='*.egg-info' --exclude=__pycache__ --exclude='.*_cache' --exclude=.hypothesis .
    tar -C "$copy" --no-same-owner -xf "$root.tar"
    rm "$root.tar"
}

# All is in one function: the shell reads a script while it runs it, and the checkout may change during a run of half an hour.
main() {
    [ "$(id -u)" -eq 0 ] || die "needs root: run it with sudo"
    mkdir -p "$(dirname "$root")"
    exec 9>"$root.lock"
    flock -n 9 || die "another run uses $root: wait for its end, or give this one a folder of its own by MAILWEIR_DEBIANS"
    [ -d "$root" ] || make_root
    copy_settings
    copy_checkout
    rm -rf "$root"/var/tmp/*
    [ -d "$shared" ] && shared=$(cd "$shared" && pwd) || shared=
    # shellcheck disable=SC2046  # words without blanks
    contained env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u PYTHON -u VENV -u TMPDIR -u PYTHONPATH -u VIRTUAL_ENV \
        sh "$top/scripts/enter-debian.sh" "$root" "$shared" "$(named_by_pip)" "$@"
}

main "$@"; exit
