#!/usr/bin/env bash
# Reads with other people's tools what tilewise writes, and the other way round.
#
# Installs xarray, h5py, netCDF4, h5netcdf, zarr and their like into target/interop, and ncdump and
# CDO through apt where that is possible; then runs every script of tools/interop with the path of
# the tilewise binary. A tool that is not there is named, and what needs it is left out.
#
#   tools/interop.sh [BINARY]     by default target/debug/tilewise
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'interop: %s\n' "$*" >&2; }

binary=$(readlink -f "${1:-target/debug/tilewise}")
[[ -x $binary ]] || { say "there is no $binary: cargo build --bin tilewise"; exit 1; }

venv=target/interop
if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q -r tools/interop/requirements.txt
fi

can_root() { [[ $EUID -eq 0 ]] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; }
as_root() { if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi; }
if ! { command -v ncdump && command -v cdo; } >/dev/null && command -v apt-get >/dev/null && can_root; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends netcdf-bin cdo >&2 ||
        say "ncdump and cdo could not be installed"
fi

failed=0
for script in tools/interop/*.py; do
    say "$script"
    "$venv/bin/python" "$script" "$binary" || { say "$script FAILED"; failed=1; }
done
exit $failed
