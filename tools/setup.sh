#!/usr/bin/env bash
# Installs what a build and its tests need and this machine lacks: HDF5, pkg-config, a C++
# compiler (for a codec of Zarr), and Mesa's software Vulkan, so that the GPU path is tested where no GPU is.
#
# Debian 12/13 and Ubuntu 24.04 through apt, as root or with passwordless sudo;
# elsewhere it prints what to install by hand. Debian 12's own Mesa (22.3) ends long
# shader loops early and silently, so there the driver comes from bookworm-backports,
# from the same mirror and with the same key as the machine's own bookworm entry.
#
# Exits 0 at once when all is there. Fails when HDF5, pkg-config, cargo, a C or a C++ compiler
# is missing; a missing Vulkan driver is a warning, and a failure only where CI=true.
#
#   tools/setup.sh            install what is missing
#   tools/setup.sh --check    only say what is missing
set -euo pipefail

readonly MESA_WANTED=25 # what is asked of backports, and what the tests are run with
readonly MESA_LEAST=24  # Ubuntu 24.04's without its updates; older ones are not used
readonly BACKPORTS_FILE=/etc/apt/sources.list.d/tilewise-backports
APT_DIR=${TILEWISE_APT_DIR:-/etc/apt}    # tools/test-setup.sh points it at made-up configurations

say()  { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
ci()   { [[ ${CI:-} == true || ${CI:-} == 1 ]]; }

os_field() { ( . /etc/os-release 2>/dev/null; eval "printf '%s' \"\${$1:-}\"" ); }

have_hdf5()      { [[ -n ${HDF5_DIR:-} ]] || { have_pkg_config && pkg-config --exists hdf5; } \
                   || [[ -e /usr/include/hdf5/serial/hdf5.h || -e /usr/include/hdf5.h ]]; }
have_pkg_config() { command -v pkg-config >/dev/null; }
have_cxx()       { command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null; }
have_loader()    { compgen -G '/usr/lib/*/libvulkan.so.1' >/dev/null || compgen -G '/usr/lib*/libvulkan.so.1' >/dev/null \
                   || compgen -G '/usr/local/lib/libvulkan.so.1' >/dev/null; }
have_lavapipe()  { compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null; }
# A driver other than lavapipe, such as a real GPU's, or one named by the environment.
have_other_icd() {
    [[ -n ${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-} ]] && return 0
    local f
    for f in /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json; do
        [[ -e $f && $f == *nvidia* ]] && return 0
    done
    return 1
}

# The major version of the installed Mesa driver package; empty where dpkg does not know it.
mesa_major() {
    local version
    version=$(dpkg-query -W -f '${Version}' mesa-vulkan-drivers 2>/dev/null || true)
    version=${version#*:}
    printf '%s' "${version%%.*}"
}
mesa_new_enough() { local major; major=$(mesa_major); [[ -z $major || $major -ge $MESA_LEAST ]]; }
have_vulkan()     { have_loader && have_lavapipe && mesa_new_enough; }

# Prints the machine's apt entries for `suite` with the suite replaced by `suite-backports`,
# one file per entry under `out`: entry.N.sources or entry.N.list. Whole entries are copied,
# so mirror, Signed-By (also a key written inline), architectures and options come along.
backports_entries() {
    local suite=$1 out=$2 file n=0
    for file in "$APT_DIR"/sources.list.d/*.sources; do
        [[ -e $file ]] || continue
        n=$((n + 1))
        awk -v suite="$suite" -v prefix="$out/entry.$n" '
            function flush(    i, l, key, has_suite, has_main, off, target) {
                for (i = 1; i <= count; i++) {
                    l = lines[i]; key = tolower(l); sub(/:.*/, "", key)
                    if (l ~ /^[ \t]/) { key = last } else { last = key }
                    value = l; sub(/^[^:]*:/, "", value)
                    if (l ~ /^[ \t]/) value = l
                    value = " " value " "; gsub(/[ \t]+/, " ", value)
                    if (key == "suites" && index(value, " " suite " ")) has_suite = 1
                    if (key == "components" && index(value, " main ")) has_main = 1
                    if (key == "enabled" && tolower(value) ~ / (no|false|without|off|disable|0) /) off = 1
                }
                if (has_suite && has_main && !off) {
                    target = prefix "." (++made) ".sources"; last = ""
                    for (i = 1; i <= count; i++) {
                        l = lines[i]; key = tolower(l); sub(/:.*/, "", key)
                        if (l ~ /^[ \t]/) { if (last == "suites" || last == "types" || last == "components") continue }
                        else last = key
                        if (key == "types" && l !~ /^[ \t]/) l = "Types: deb"
                        if (key == "suites" && l !~ /^[ \t]/) l = "Suites: " suite "-backports"
                        if (key == "components" && l !~ /^[ \t]/) l = "Components: main"
                        print l > target
                    }
                    close(target)
                }
                count = 0; last = ""
            }
            /^#/ { next }
            /^[ \t\r]*$/ { flush(); next }
            { sub(/\r$/, ""); lines[++count] = $0 }
            END { flush() }
        ' "$file"
    done
    for file in "$APT_DIR"/sources.list "$APT_DIR"/sources.list.d/*.list; do
        [[ -e $file ]] || continue
        n=$((n + 1))
        awk -v suite="$suite" -v prefix="$out/entry.$n" '
            /^[ \t]*deb[ \t]/ {
                sub(/#.*/, ""); line = $0
                options = ""
                if (match(line, /\[[^]]*\]/)) {
                    options = substr(line, RSTART, RLENGTH) " "
                    line = substr(line, 1, RSTART - 1) " " substr(line, RSTART + RLENGTH)
                }
                fields = split(line, f, /[ \t]+/)
                start = (f[1] == "") ? 2 : 1
                if (f[start + 2] != suite) next
                for (i = start + 3; i <= fields; i++) if (f[i] == "main") {
                    target = prefix "." (++made) ".list"
                    print "deb " options f[start + 1] " " suite "-backports main" > target
                    close(target)
                }
            }
        ' "$file"
    done
}

as_root() { if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi; }
can_root() { [[ $EUID -eq 0 ]] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; }
apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >&2; }

# True when apt offers the Mesa driver that is wanted, from whatever source.
mesa_on_offer() {
    apt-cache madison mesa-vulkan-drivers 2>/dev/null \
        | awk -F'|' -v least="$MESA_WANTED" '
            { sub(/^ */, "", $2); sub(/^[0-9]+:/, "", $2); if ($2 + 0 >= least) found = 1 }
            END { exit !found }'
}

# Adds backports from the first of the machine's own mirrors that carries them.
add_backports() {
    local suite=$1 dir entry target
    dir=$(mktemp -d)
    backports_entries "$suite" "$dir"
    for entry in "$dir"/entry.*; do
        [[ -e $entry ]] || continue
        target=$BACKPORTS_FILE.${entry##*.}
        sed -i '1i # Added by the set-up of tilewise for a newer Mesa; may be removed.' "$entry"
        as_root install -m 0644 "$entry" "$target"
        apt update || true    # another, broken source must not count against this one
        if mesa_on_offer; then
            say "added $target"
            rm -rf "$dir"
            return 0
        fi
        as_root rm -f "$target"
    done
    rm -rf "$dir"
    apt update || true
    return 1
}

install_vulkan() {
    local codename
    codename=$(os_field VERSION_CODENAME)
    if [[ $(os_field ID) == debian && $codename == bookworm ]]; then
        mesa_on_offer || add_backports "$codename" || {
            say "no $codename-backports with Mesa $MESA_WANTED or newer on this machine's mirrors"
            return 1
        }
        apt install --no-install-recommends -t "$codename-backports" mesa-vulkan-drivers libvulkan1
    else
        apt install --no-install-recommends mesa-vulkan-drivers libvulkan1
    fi
}

# What is missing, as words: packages and tools.
missing() {
    local words=()
    have_hdf5 || words+=(libhdf5-dev)
    have_pkg_config || words+=(pkg-config)
    have_cxx || words+=(g++)
    have_vulkan || words+=(mesa-vulkan-drivers libvulkan1)
    printf '%s' "${words[*]:-}"
}

by_hand() {
    say "to install by hand, as root: apt-get install libhdf5-dev pkg-config g++ mesa-vulkan-drivers libvulkan1"
    say "  on Debian 12 the last two from backports: add 'deb <your mirror> bookworm-backports main', then"
    say "  apt-get install -t bookworm-backports mesa-vulkan-drivers libvulkan1"
    say "  elsewhere: HDF5 1.10 or newer with headers, pkg-config, a Vulkan loader, Mesa lavapipe $MESA_WANTED or newer"
}

main() {
    command -v cc >/dev/null || fail "no C compiler (cc); install gcc or clang"
    command -v cargo >/dev/null || fail "no cargo; install Rust 1.95 or newer from https://rustup.rs"

    local lacking
    lacking=$(missing)
    if [[ -n $lacking && ${1:-} != --check ]]; then
        say "missing: $lacking"
        if ! command -v apt-get >/dev/null; then
            say "no apt-get on this system"
        elif ! can_root; then
            say "neither root nor passwordless sudo"
        else
            apt update || say "apt-get update failed; trying with the lists that are there"
            { have_hdf5 && have_pkg_config; } || apt install --no-install-recommends libhdf5-dev pkg-config \
                || say "could not install libhdf5-dev and pkg-config"
            have_cxx || apt install --no-install-recommends g++ || say "could not install g++"
            have_vulkan || install_vulkan || say "could not install the software Vulkan driver"
        fi
        lacking=$(missing)
    fi
    [[ -z $lacking ]] && exit 0

    say "still missing: $lacking"
    if have_loader && have_lavapipe && ! mesa_new_enough; then
        say "Mesa $(mesa_major) is installed; tests need $MESA_LEAST or newer"
    fi
    by_hand
    { have_hdf5 && have_pkg_config && have_cxx; } || exit 1
    if have_loader && have_other_icd; then
        say "another Vulkan driver is there; GPU tests run on it"
    elif ci; then
        fail "GPU tests need a Vulkan adapter, and CI=true"
    else
        say "no Vulkan adapter: the GPU tests will say so and skip"
    fi
}

# Sourced by its own test, run by everyone else.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
