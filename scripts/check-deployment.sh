#!/bin/sh
# Runs the linters on ansible/ and the Vagrantfile, and checks the role's output: units by systemd, scripts by shellcheck.
#
# Called by `make check` with the folder of the virtual environment's programs. Touches no host, and nothing outside of a
# temporary folder; uses no network.
set -eu

bin=$(cd "$1" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
trap 'exit 1' INT TERM HUP
PATH=$bin:$PATH
export PATH ANSIBLE_HOME="$out/ansible" ANSIBLE_NOCOWS=1 ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false
# Ansible insists on UTF-8
export LC_ALL=C.UTF-8

quietly() {
    "$@" >"$out/said" 2>&1 || { cat "$out/said" >&2; return 1; }
}

cd "$top"
yamllint --strict ansible scripts/render-units.yml .ansible-lint
(cd ansible && quietly ansible-lint --config-file ../.ansible-lint --offline --nocolor site.yml roles)
quietly ansible-inventory --inventory ansible/inventory.example --list

# The verification needs the programs that the units name. The real ones aren't installed here, so these stand in for them.
program=$out/opt
mkdir -p "$program/current/bin" "$out/units"
for name in mailweir mailweir-milter mailweir-lookups mailweir-auth mailweir-digest mailweir-gmail-sync mailweir-web; do
    printf '#!/bin/sh\n' >"$program/current/bin/$name"
    chmod 755 "$program/current/bin/$name"
done
for database in "" postgresql://mailweir@db.example.net/mailweir; do
    quietly ansible-playbook scripts/render-units.yml -e "out=$out/units mailweir_program_dir=$program mailweir_database=$database"
    quietly systemd-analyze verify --man=no --recursive-errors=no "$out"/units/mailweir-*
    # a mere warning, such as for an unknown key, counts too
    if grep -F "$out/units" "$out/said"; then exit 1; fi
done
shellcheck "$out"/units/*.sh

VAGRANT_HOME=$out/vagrant VAGRANT_DOTFILE_PATH=$out/dotfile VAGRANT_CHECKPOINT_DISABLE=1 quietly vagrant validate --ignore-provider
echo "ansible/, its units and scripts, and the Vagrantfile: fine"
