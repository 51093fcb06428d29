#!/bin/sh
# Makes a checkout ready to run: Debian packages, the unprivileged user, a virtual environment with the project in it.
#
# Called by most targets of the Makefile; safe to repeat, and silent if nothing is missing. Never starts a system service
# (a policy-rc.d denies it while apt runs), and never configures or replaces an existing mail server: it reports another
# MTA, and stops.
#
#   PYTHON   the interpreter of the virtual environment (default /usr/bin/python3: an unprivileged user can run it)
#   VENV     where the virtual environment goes (default: see scripts/venv-path.sh)
#   ONLY     "venv": the virtual environment alone; no root, no Debian package, no user, no npm
#   EXTRAS   the project's optional parts to install: "test", "test,smoke", "test,check" (the default), "test,check,deploy"
set -eu
# The unprivileged user has to read the files that are made here.
umask 022

PYTHON=${PYTHON:-/usr/bin/python3}
EXTRAS=${EXTRAS:-test,check}
run_as=${MAILWEIR_RUN_AS:-mailweir}
top=$(cd "$(dirname "$0")/.." && pwd)
policy=/usr/sbin/policy-rc.d

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root=
if [ "$(id -u)" -ne 0 ] && command -v sudo >/dev/null 2>&1; then
    as_root=sudo
fi
can_be_root() { [ "$(id -u)" -eq 0 ] || [ -n "$as_root" ]; }

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# apt would remove a second mail server to make room for Postfix. That is the admin's decision.
other_mta() {
    dpkg-query -W -f='${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null |
        awk '$1 == "installed" && $2 != "postfix" && / mail-transport-agent/ { print $2; exit }'
}

# Address parsers that ours is compared with.
for_tests() {
    case ",$EXTRAS," in *,test,*) echo libemail-address-xs-perl libmailtools-perl ;; esac
}

# Tools for `make check` outside of Python: systemd only analyses units here, and starts nothing.
for_checks() {
    case ",$EXTRAS," in *,check,*) echo shellcheck systemd vagrant ;; esac
}

# Tools for the hosts of `make test-deploy`.
for_deployment() {
    case ",$EXTRAS," in *,deploy,*) echo docker.io debootstrap ;; esac
}

# Tools that open pages in tests. `make test` uses a few of them (smoke); `make test-browser` uses all, and the web servers in the
# documentation's examples.
for_browser() {
    case ",$EXTRAS," in *,smoke,*|*,browser,*) echo chromium ;; esac
    case ",$EXTRAS," in *,browser,*) echo nginx-light caddy ;; esac
}

missing_packages() {
    for package in postfix gcc libc6-dev libmilter-dev logrotate opendkim opendkim-tools postgresql python3-apt python3-dev python3-venv $(for_tests) $(for_checks) $(for_deployment) $(for_browser); do
        installed "$package" || printf '%s ' "$package"
    done
}

restore_policy() {
    if [ -e "$policy.before-mailweir" ]; then
        $as_root mv "$policy.before-mailweir" "$policy"
    else
        $as_root rm -f "$policy"
    fi
}

deny_service_starts() {
    if [ -e "$policy" ] && ! grep -qs 'mailweir: setup' "$policy"; then
        $as_root mv "$policy" "$policy.before-mailweir"
    fi
    trap restore_policy EXIT
    trap 'exit 1' INT TERM HUP
    # shellcheck disable=SC2016  # $as_root is empty for root, and then must vanish
    printf '#!/bin/sh\n# mailweir: setup denies service starts while apt runs\nexit 101\n' |
        $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
}

# The caller reports apt's errors.
apt_install() {
    deny_service_starts || return
    # shellcheck disable=SC2086  # a list of words on purpose
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $1 </dev/null >/dev/null
    said=$?
    restore_policy
    trap - EXIT INT TERM HUP
    return $said
}

install_packages() {
    packages=$(missing_packages)
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null 2>&1 || die "these Debian packages are needed, and there is no apt-get: $packages"
    mta=$(other_mta)
    [ -z "$mta" ] || die "the mail server '$mta' is installed; Mailweir needs Postfix beside it, and Debian allows one. Remove '$mta' first, if nothing needs it."
    can_be_root || die "as root, run: apt-get install $packages"
    say "installing Debian packages: $packages"
    $as_root apt-get update -q >/dev/null || die "apt-get update failed; see its message above"
    if ! installed postfix; then
        echo 'postfix postfix/main_mailer_type select No configuration' | $as_root debconf-set-selections
    fi
    # The tests start clusters of their own. Debian's package must not make one or start it.
    if ! installed postgresql-common; then
        $as_root mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.d/mailweir.conf >/dev/null
    fi
    apt_install "$packages" || die "apt-get could not install: $packages"
}

make_user() {
    id "$run_as" >/dev/null 2>&1 && return 0
    can_be_root || die "as root, run: useradd --system --user-group --no-create-home --shell /usr/sbin/nologin $run_as"
    say "making the unprivileged user '$run_as'"
    $as_root useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$run_as"
}

# One checksum of all files that are installed from the checkout: only if it changed, the project is installed again.
fingerprint() {
    {
        "$PYTHON" --version
        printf '%s %s\n' "$PYTHON" "$EXTRAS"
        if [ "$mode" = copy ]; then
            find "$top/mailweir" "$top/milter" "$top/admin_cli" "$top/postfix" "$top/gmail_sync" "$top/webapp" -type f ! -name '*.pyc' -exec cksum {} +
        fi
        cksum "$top/setup.cfg" "$top/pyproject.toml"
    } | cksum
}

which_python() { "$1" -c 'import sys, sysconfig; print(sys.base_prefix, sysconfig.get_config_var("SOABI"))' 2>/dev/null; }

# Is the virtual environment complete, and of this Python? Its interpreter is a link. After an upgrade of the system, it leads to
# another version, or to nothing, and the packages are in the folder of the old version. So pip is tried, which is always there.
suits() {
    [ "$(which_python "$VENV/bin/python")" = "$(which_python "$PYTHON")" ] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1
}

make_venv() {
    if [ -e "$VENV/pyvenv.cfg" ]; then
        say "making the virtual environment $VENV anew: it doesn't suit $PYTHON any more ($("$PYTHON" --version))"
    elif [ -n "$(ls -A "$VENV" 2>/dev/null)" ]; then
        die "$VENV holds files and is no virtual environment: name another folder as VENV, or remove it"
    else
        say "making the virtual environment $VENV"
    fi
    # outside of the checkout, only root can make it; it then belongs to the owner of the checkout
    mkdir -p "$VENV" 2>/dev/null || $as_root install -d -o "$(id -u)" -g "$(id -g)" "$VENV"
    "$PYTHON" -m venv --clear "$VENV" || die "could not make $VENV"
}

install_project() {
    command -v "$PYTHON" >/dev/null 2>&1 || die "no interpreter at PYTHON=$PYTHON"
    stamp=$VENV/.mailweir-installed.$(printf %s "$EXTRAS" | tr , -)
    want=$(fingerprint)
    [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && [ -x "$VENV/bin/python" ] && return 0
    suits || make_venv
    say "installing mailweir into it"
    if [ "$mode" = copy ]; then
        # setuptools leaves build/ behind, and would put old files from it into the next wheel
        rm -rf "$top/build"
        (cd "$top" && "$VENV/bin/pip" install -q --disable-pip-version-check ".[$EXTRAS]") || die "pip failed; see its message above"
        rm -rf "$top/build"
    else
        (cd "$top" && "$VENV/bin/pip" install -q --disable-pip-version-check -e ".[$EXTRAS]") || die "pip failed; see its message above"
    fi
    printf '%s\n' "$want" >"$stamp"
}

# Python can't keep the daemons' bytecode: their user may not write to the checkout, and PYTHONDONTWRITEBYTECODE may be set. Then
# each start would compile everything again. A fault in a file is reported where the file is used.
compile_checkout() {
    [ "$mode" = editable ] || return 0
    (cd "$top" && "$VENV/bin/python" -m compileall -q -j 0 mailweir milter admin_cli postfix gmail_sync webapp >/dev/null) || true
}

need_npm() {
    command -v npm >/dev/null 2>&1 && return 0
    can_be_root && command -v apt-get >/dev/null 2>&1 || return 1
    say "installing the Debian package npm"
    $as_root apt-get update -q >/dev/null && apt_install npm
}

# The Gmail server for the tests (tests/gmail/README.md), and address parsers: npm packages and the node that runs them. If they
# aren't available, setup goes on: the tests that need them skip with the reason, and fail if CI=true.
install_gmail_server() {
    case ",$EXTRAS," in *,test,*) ;; *) return 0 ;; esac
    folder=$top/tests/gmail
    stamp=$folder/node_modules/.mailweir-installed
    want=$(cd "$folder" && uname -m && cksum package.json package-lock.json)
    [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return 0
    say "installing the npm packages of the tests"
    if need_npm && (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null); then
        printf '%s\n' "$want" >"$stamp"
    else
        say "it could not be installed (see above): the tests that need it will say so"
    fi
}

only=${ONLY:-all}
[ "$only" = venv ] || { install_packages; make_user; }
VENV=${VENV:-$(sh "$top/scripts/venv-path.sh")}
# The daemons run as an unprivileged user. If that user can't read the checkout, the virtual environment is outside of
# it and holds a copy of the project.
case $VENV in "$top"/*) mode=editable ;; *) mode=copy ;; esac
install_project
compile_checkout
[ "$only" = venv ] || install_gmail_server
