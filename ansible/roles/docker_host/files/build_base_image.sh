#!/bin/sh
# Builds a minimal Debian image without a container registry: build_base_image.sh RELEASE IMAGE
set -eu
release=$1
image=$2
root=$(mktemp -d "${TMPDIR:-/var/tmp}/frontdesk-base.XXXXXX")
trap 'rm -rf "$root"' EXIT INT TERM
debootstrap --variant=minbase "$release" "$root/debian" >"$root/log" 2>&1 || {
    echo "debootstrap could not build Debian $release: $(tail -n 1 "$root/log")" >&2
    exit 1
}
rm -rf "$root"/debian/var/cache/apt/archives/*.deb "$root"/debian/var/lib/apt/lists/*
tar -C "$root/debian" -c -f "$root/debian.tar" .
docker import "$root/debian.tar" "$image" >/dev/null
