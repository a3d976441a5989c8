#!/usr/bin/env bash
# Tests how setup.sh derives backports from made-up apt configurations; needs neither apt nor root.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/apt/sources.list.d"
export TILEWISE_APT_DIR=$work/apt
source ./setup.sh

# expect NAME LINE...: the entries derived from the configuration are exactly these lines.
expect() {
    local name=$1
    shift
    rm -rf "$work/out" && mkdir "$work/out"
    backports_entries bookworm "$work/out"
    if ! diff -u <(printf '%s\n' "$@") <(cat "$work"/out/entry.* 2>/dev/null); then
        echo "test-setup: $name: not what was expected (- expected, + derived)" >&2
        exit 1
    fi
    rm -f "$work/apt/sources.list" "$work"/apt/sources.list.d/*
}

cat > "$work/apt/sources.list.d/debian.sources" <<'CONF'
# a snapshot
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
CONF
expect 'deb822' 'Types: deb' 'URIs: http://mirror.example/debian' 'Suites: bookworm-backports' \
    'Components: main' 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg'

cat > "$work/apt/sources.list.d/inline.sources" <<'CONF'
Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

types: deb
uris: http://a.example/debian
 http://b.example/debian
suites:
 bookworm
 bookworm-updates
components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
CONF
expect 'deb822 with an inline key, folded fields and a disabled stanza' \
    'Types: deb' 'uris: http://a.example/debian' ' http://b.example/debian' 'Suites: bookworm-backports' \
    'Components: main' 'signed-by:' ' -----BEGIN PGP PUBLIC KEY BLOCK-----' ' .' ' abc' \
    ' -----END PGP PUBLIC KEY BLOCK-----'

cat > "$work/apt/sources.list" <<'CONF'
# deb http://no.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian  bookworm main contrib # comment
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm-updates main
deb http://other.example/tool bookworm stable
CONF
expect 'one-line' 'deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm-backports main'

echo 'deb http://mirror.example/debian trixie main' > "$work/apt/sources.list.d/a.list"
rm -rf "$work/out" && mkdir "$work/out"
backports_entries bookworm "$work/out"
if compgen -G "$work/out/entry.*" >/dev/null; then
    echo 'test-setup: an entry of another suite was taken' >&2
    exit 1
fi
echo 'test-setup: ok'
