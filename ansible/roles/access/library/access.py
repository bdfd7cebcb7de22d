#!/usr/bin/python
"""Ansible's module of the role access: who may come in, over SSH and through the firewall.

What is new is in force at once and stays only when it is `kept`. Until then the host holds what was
before, and a timer of its own takes the new back: a connection that is lost undoes itself.
"""

import ipaddress
import os
import re
import shlex
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

STATE = Path("/var/lib/frontdesk-access")
BEFORE, TABLE_SUM = STATE / "before", STATE / "table"
RULES = Path("/etc/frontdesk-access/rules.nft")
SSHD = Path("/etc/ssh/sshd_config.d/00-frontdesk.conf")  # the first value that sshd reads holds
UNITS = Path("/etc/systemd/system")
FIREWALL, REVERT = "frontdesk-firewall.service", "frontdesk-access-revert.service"
TABLE = ("inet", "frontdesk")

# sshd takes of each what it knows; ssh -Q tells
ALGORITHMS = {
    "KexAlgorithms": ("kex", [
        "mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com",
        "curve25519-sha256", "curve25519-sha256@libssh.org"]),
    "HostKeyAlgorithms": ("HostKeyAlgorithms", [
        "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]),
    "Ciphers": ("cipher", [
        "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes128-ctr"]),
    "MACs": ("mac", ["hmac-sha2-512-etm@openssh.com", "hmac-sha2-256-etm@openssh.com"]),
}  # fmt: skip
SETTINGS = """\
AuthenticationMethods publickey
PubkeyAuthentication yes
PasswordAuthentication no
PermitEmptyPasswords no
KbdInteractiveAuthentication no
HostbasedAuthentication no
IgnoreRhosts yes
IgnoreUserKnownHosts yes
GSSAPIAuthentication no
PermitUserEnvironment no
StrictModes yes
UsePAM yes
MaxAuthTries 3
MaxSessions 10
MaxStartups 10:30:60
LoginGraceTime 30
ClientAliveInterval 300
ClientAliveCountMax 3
TCPKeepAlive no
Compression no
UseDNS no
X11Forwarding no
AllowAgentForwarding no
AllowStreamLocalForwarding no
PermitTunnel no
GatewayPorts no
DebianBanner no
LogLevel VERBOSE
"""


class RefusedError(Exception):
    """What was asked for can't be done; the text says why and what to do."""


def run(*words, data=None):
    """The exit code and what was said, on both ways together."""
    done = subprocess.run(
        words, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, done.stdout.strip()


def must(*words, data=None):
    code, said = run(*words, data=data)
    if code:
        raise RefusedError(f"{shlex.join(words)}: {said}")
    return said


def connection(pid):
    """(user, client's address, port here) of the SSH session that this belongs to, or None."""
    while pid > 1:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        held = dict(word.decode(errors="replace").split("=", 1) for word in words if b"=" in word)
        if "SSH_CONNECTION" in held:
            client, _, _, port = held["SSH_CONNECTION"].split()
            return held.get("LOGNAME", ""), client, int(port)
        pid = int(re.search(r"^PPid:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])
    return None


def lets_in(networks, address):
    """Whether one of the networks holds the address; this host itself always may."""
    address = ipaddress.ip_address(address.split("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or any(address in ipaddress.ip_network(each) for each in networks)


def lockout(wanted, session):
    """Why what is wanted would shut out who asks for it; empty where it would not."""
    if session is None:
        return ""
    user, client, _ = session
    if wanted["ssh"] and user == "root" and not wanted["ssh_root"]:
        return ("this connection is root's, and access_ssh_root is false: "
                "connect as a user with sudo, or set it to true")  # fmt: skip
    if wanted["ssh"] and wanted["ssh_users"] and user not in wanted["ssh_users"]:
        return f"access_ssh_users has no {user}, as whom this connection came"
    if wanted["firewall"] and wanted["ssh_from"] and not lets_in(wanted["ssh_from"], client):
        return f"access_ssh_from does not hold {client}, where this connection comes from"
    return ""


def sshd_settings(wanted):
    lines = ["# Managed by Ansible: the role access", *SETTINGS.splitlines()]
    lines.append(f"PermitRootLogin {'prohibit-password' if wanted['ssh_root'] else 'no'}")
    lines.append(f"AllowTcpForwarding {'local' if wanted['ssh_forwarding'] else 'no'}")
    if wanted["ssh_users"]:
        lines.append("AllowUsers " + " ".join(wanted["ssh_users"]))
    for keyword, (query, ours) in ALGORITHMS.items():
        known = must("ssh", "-Q", query).split()
        lines.append(f"{keyword} " + ",".join(name for name in ours if name in known))
    return "\n".join(lines) + "\n"


def sshd_says(*options):
    """sshd's own view of its configuration; a host that never started it has no keys yet."""
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd looks for it, and its unit makes it
    if list(Path("/etc/ssh").glob("ssh_host_*_key")):
        return must("/usr/sbin/sshd", *options)
    with tempfile.TemporaryDirectory() as folder:
        key = f"{folder}/key"
        must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        return must("/usr/sbin/sshd", *options, "-h", key)


def ssh_ports(session):
    """The ports on which this host is reached: those of sshd where it runs, and this session's."""
    ports = {session[2]} if session else set()
    for unit in ("ssh.service", "ssh.socket"):
        if run("systemctl", "is-active", "--quiet", unit)[0] == 0:
            ports |= set(map(int, re.findall(r"^port (\d+)", sshd_says("-T"), re.MULTILINE)))
            listen = run("systemctl", "show", "--property=Listen", unit)[1]
            ports |= set(map(int, re.findall(r":(\d+) \(Stream\)", listen)))
    return sorted(ports)


def firewall_rules(wanted, ports):
    """All that may come in, as nft reads it: one step exchanges the table for this one."""
    family, name = TABLE
    networks = sorted(map(ipaddress.ip_network, wanted["ssh_from"]), key=str)
    lines = ["ct state established,related accept", "ct state invalid drop", 'iif "lo" accept',
             "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
             "icmp type echo-request limit rate 20/second accept",
             "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, "
             "parameter-problem, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } "
             "accept",
             "icmpv6 type echo-request limit rate 20/second accept",
             "ip6 saddr fe80::/10 udp dport 546 accept"]  # fmt: skip
    if ports:
        dport = "tcp dport { " + ", ".join(map(str, ports)) + " } accept"
        lines += [f"ip{'6' if each.version == 6 else ''} saddr {each} {dport}" for each in networks]
        lines += [] if networks else [dport]
    if wanted["open_ports"]:
        dports = ", ".join(map(str, sorted(set(wanted["open_ports"]))))
        lines.append("tcp dport { " + dports + " } accept")
    body = "\n".join(f"        {line}" for line in lines)
    return (f"# Managed by Ansible: the role access\ntable {family} {name}\n"
            f"delete table {family} {name}\ntable {family} {name} {{\n    chain input {{\n"
            "        type filter hook input priority filter; policy drop;\n"
            f"{body}\n    }}\n}}\n")  # fmt: skip


def table_sum():
    """What the kernel holds, as a sum; empty where it holds no table of ours."""
    code, said = run("nft", "list", "table", *TABLE)
    return "" if code else sha256(said.encode()).hexdigest()


def wanted_files(wanted, session):
    """({path: text, or None for none}, why there is no firewall where one is wanted)."""
    ssh = wanted["ssh"] and Path("/usr/sbin/sshd").exists()
    files = {SSHD: sshd_settings(wanted) if ssh else None}
    rules, why_not = None, ""
    if wanted["firewall"]:
        rules = firewall_rules(wanted, ssh_ports(session))
        code, said = run("nft", "-c", "-f", "-", data=rules)
        if code and run("systemd-detect-virt", "--quiet", "--container")[0] == 0:
            rules, why_not = None, said.splitlines()[0]
        elif code:
            raise RefusedError(f"nft does not take the rules: {said}")
    files[RULES] = rules
    files[UNITS / FIREWALL] = wanted["firewall_unit"] if rules else None
    return files, why_not


def write(path, text, mode=0o644):
    if text is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(mode=0o755, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)


def read(path):
    return path.read_text() if path.exists() else None


def is_as(path, text):
    """Whether the file holds the text, and nobody but root may change it; None is no file."""
    if text is None or read(path) != text:
        return text is None and not path.exists()
    kept = path.stat()
    return (kept.st_mode & 0o7777, kept.st_uid, kept.st_gid) == (0o644, 0, 0)


def difference(path, text):
    """What a check tells of a file that is not as it should be."""
    before, after = read(path) or "", text or ""
    if before == after:
        kept = path.stat()
        before = f"mode {kept.st_mode & 0o7777:04o}, of {kept.st_uid}:{kept.st_gid}\n"
        after = "mode 0644, of 0:0\n"
    return {"before_header": str(path), "after_header": str(path), "before": before, "after": after}


def hold_what_was(wanted, files):
    """Have the host take the new back by itself, also after a restart, unless it is kept."""
    if not BEFORE.exists():  # one that was never kept is no state to return to
        new = STATE / "before.new"
        new.mkdir(parents=True, exist_ok=True)
        STATE.chmod(0o700)
        for path in files:
            if path.exists():
                (new / path.name).write_text(path.read_text())
        new.rename(BEFORE)
    write(STATE / "revert.sh", wanted["revert_program"], 0o700)
    if read(UNITS / REVERT) != wanted["revert_unit"]:
        write(UNITS / REVERT, wanted["revert_unit"])
        must("systemctl", "daemon-reload")
        must("systemctl", "--quiet", "enable", REVERT)
    stop_timer()
    must("systemd-run", "--quiet", f"--on-active={wanted['proof_seconds']}",
         "--timer-property=AccuracySec=1s", f"--unit={REVERT}")  # fmt: skip


def stop_timer():
    run("systemctl", "stop", REVERT.replace(".service", ".timer"))  # there may be none


def bring(wanted, files):
    """Bring the files into force, with what was before at hand."""
    hold_what_was(wanted, files)
    try:
        for path, text in files.items():
            write(path, text)
        if files[SSHD]:
            sshd_says("-t")
            if "passwordauthentication no" not in sshd_says("-T"):
                raise RefusedError(f"sshd does not read {SSHD}: include its folder in sshd_config")
        must("systemctl", "daemon-reload")
        if files[RULES]:
            must("systemctl", "--quiet", "enable", FIREWALL)
            must("systemctl", "restart", FIREWALL)
            TABLE_SUM.write_text(table_sum())
        elif table_sum():
            must("nft", "delete", "table", *TABLE)
        run("systemctl", "try-reload-or-restart", "ssh.service")
    except (RefusedError, OSError):
        take_back()
        raise


def take_back():
    stop_timer()
    must("systemctl", "start", REVERT)


def keep():
    stop_timer()
    if not BEFORE.exists():
        raise RefusedError("the host has taken the new settings back already: repeat the deploy")
    for path in BEFORE.iterdir():
        path.unlink()
    BEFORE.rmdir()


def set_access(wanted, check_mode):
    """What Ansible is told: changed, proof_wanted, and the difference of the files."""
    session = connection(os.getpid())
    reason = lockout(wanted, session)
    if reason:
        raise RefusedError(f"You would be locked out: {reason}. Nothing was changed.")
    if check_mode and wanted["firewall"] and not Path("/usr/sbin/nft").exists():
        return {"changed": True, "proof_wanted": False, "no_firewall": ""}
    files, why_not = wanted_files(wanted, session)
    differing = [path for path, text in files.items() if not is_as(path, text)]
    held = read(TABLE_SUM) or ""
    flushed = bool(files[RULES]) and RULES not in differing and table_sum() != held
    changed = bool(differing) or flushed or BEFORE.exists()
    diff = [difference(path, files[path]) for path in differing]
    if flushed:
        diff.append({"prepared": "The kernel does not hold the rules that were loaded.\n"})
    if changed and not check_mode:
        bring(wanted, files)
    return {"changed": changed, "proof_wanted": changed and not check_mode, "diff": diff,
            "no_firewall": why_not}  # fmt: skip


def main():
    module = AnsibleModule(
        supports_check_mode=True,
        argument_spec={
            "state": {"choices": ["set", "kept", "taken_back"], "default": "set"},
            "ssh": {"type": "bool"},
            "ssh_root": {"type": "bool"},
            "ssh_users": {"type": "list", "elements": "str"},
            "ssh_forwarding": {"type": "bool"},
            "ssh_from": {"type": "list", "elements": "str"},
            "firewall": {"type": "bool"},
            "open_ports": {"type": "list", "elements": "int"},
            "proof_seconds": {"type": "int"},
            "firewall_unit": {"type": "str"},
            "revert_unit": {"type": "str"},
            "revert_program": {"type": "str"},
        },
    )
    try:
        if module.params["state"] == "set":
            module.exit_json(**set_access(module.params, module.check_mode))
        (keep if module.params["state"] == "kept" else take_back)()
        module.exit_json(changed=True)
    except RefusedError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
