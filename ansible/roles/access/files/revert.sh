#!/bin/sh
# Managed by Ansible: brings back what was before the settings that nobody has proved.
set -eu
before=/var/lib/frontdesk-access/before
for path in /etc/ssh/sshd_config.d/00-frontdesk.conf /etc/frontdesk-access/rules.nft \
    /etc/systemd/system/frontdesk-firewall.service; do
    if [ -e "$before/${path##*/}" ]; then
        cp "$before/${path##*/}" "$path"
    else
        rm -f "$path"
    fi
done
systemctl daemon-reload
if [ -e /etc/frontdesk-access/rules.nft ]; then
    nft -f /etc/frontdesk-access/rules.nft
elif nft list table inet frontdesk >/dev/null 2>&1; then
    nft delete table inet frontdesk
fi
systemctl --no-block try-reload-or-restart ssh.service
rm -rf "$before"
