"""One load balancer of the lab as it is before patroute came: HAProxy alone,
by haproxy/classic.cfg on 5000 to 5002, and nothing of ours in /etc.

What is done there is done within a mount namespace of its own, so that the
lab's own files are as before once it is over.
"""

import contextlib
import pathlib
import re
import subprocess

from patroute_lab import config, ours

TOP = pathlib.Path(ours.TOP)
HERE = pathlib.Path(__file__).resolve().parent
SECTION = "From the classic file"
PROGRAMS = ("haproxy", "agent", "prober")       # who goes first
FRESH = ("/etc/patroute", "/etc/haproxy", "/etc/default", "/etc/systemd",
         "/var/lib")
NAMESPACE = """
for dir in %s; do mount -n -t tmpfs -o mode=755 site "$dir"; done
rm -rf /run/site /run/patroute /run/haproxy-master.sock
mkdir -p /run/site/units /run/site/bin /etc/systemd/system
echo $$ >/run/site/pid.new && mv /run/site/pid.new /run/site/pid
exec sleep infinity
""" % " ".join(FRESH)
SHOW_STAT = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect('/run/haproxy/admin.sock')
s.sendall(b'show stat\\n')
sys.stdout.write(s.makefile().read())
"""
CLASSIC = f"""CLASSIC_CHECKS=tuned
CLASSIC_STATS_PASSWORD={config.PASSWORD}
CLASSIC_LOG=stdout
"""


def section(name):
    """The README's lines under that heading."""
    text = (TOP / "README.md").read_text(encoding="utf-8")
    return re.search(rf"^## {name}\n(.*?)^## ", text,
                     re.M | re.S).group(1).splitlines()


def steps(name):
    """{number: commands} of a section that is a list."""
    found, number = {}, 0
    for line in section(name):
        begins = re.match(r"(\d+)\. ", line)
        number = int(begins.group(1)) if begins else number
        if line.startswith(" " * 8) and number:
            found.setdefault(number, []).append(line.strip())
    return found


def install():
    """The commands of Install up to and with the role's password: without
    those that build and install, which is done, and make the user and the
    role, which the lab has."""
    lines = [line.strip() for line in section("Install")
             if line.startswith("    ")]
    last = next(i for i, line in enumerate(lines)
                if line.endswith("> /etc/patroute/pgpass"))
    return [line.replace("…", config.PASSWORD) for line in lines[:last + 1]
            if not re.match(r"(tests/install|cmake|useradd|CREATE ROLE) ",
                            line)]


class Site:
    """That host, while it is so; `with` gives it back to the lab."""

    def __init__(self, lab, host, wait_until):
        self.lab, self.host, self.wait_until = lab, host, wait_until
        self.holder, self.undo = None, contextlib.ExitStack()

    def __enter__(self):
        # Undone as far as it came: a HAProxy left here would share the ports
        # with the one that the lab starts.
        with self.undo as undo:
            undo.callback(self.lab.start, self.host)
            machine = self.lab.machine(self.host)
            for program in PROGRAMS:
                machine.stop_program(program, 15)
            self._separate()
            undo.callback(self._rejoin)
            self._furnish()
            undo.callback(self.run, "systemctl stop haproxy patroute-spoa "
                          "patroute-prober")
            self.run("systemctl start haproxy")
            self.undo = undo.pop_all()
        return self

    def _separate(self):
        self.lab.exec(self.host, ["rm", "-rf", "/run/site"])
        self.holder = subprocess.Popen(self.lab.command(
            self.host, ["unshare", "--mount", "--propagation", "private",
                        "sh", "-euc", NAMESPACE]))
        self.wait_until("the host's own view", 10, lambda: self.lab.exec(
            self.host, ["test", "-e", "/run/site/pid"],
            check=False).returncode == 0)

    def _rejoin(self):
        self.holder.terminate()
        self.holder.wait(10)

    def _furnish(self):
        bins = {"systemctl": HERE / "systemctl",
                "patroute-haproxy-setup":
                TOP / "haproxy" / "patroute-haproxy-setup",
                "patroutectl": pathlib.Path(
                    ours.build_folder(), "prober/ctl/patroutectl")}
        for name, path in bins.items():
            self.run(f"ln -s '{path}' /run/site/bin/{name}")
        for part in ("prober", "spoa"):
            self.run(f"ln -s '{TOP}/{part}/patroute-{part}.service' "
                     "/run/site/units/")
        self.run(f"cp '{TOP}/haproxy/classic.cfg' /etc/haproxy/haproxy.cfg")
        self.run(f"cat >/etc/default/haproxy <<'EOF'\n{CLASSIC}EOF")

    def __exit__(self, *_):
        self.undo.close()

    def run(self, command, rc=0):
        """What a command line says that ends so; its two outputs."""
        done = self.lab.exec(self.host, [
            # The root as well: a mount namespace's own is not the host's
            # where the tests run below another root.
            "sh", "-c", 'exec nsenter --target "$(cat /run/site/pid)" '
            '--mount --root --wdns=/ -- env PATH="/run/site/bin:$PATH" LC_ALL=C.UTF-8 '
            'sh -ec "$1"', "sh", command], check=False)
        assert done.returncode == rc, (command, done)
        return done.stdout + done.stderr

    @property
    def address(self):
        """Where its ports are."""
        return self.lab.host(self.host).address

    def backends(self):
        """{backend: sessions that went through it}."""
        rows = [line.split(",") for line in self.run(
            f'/usr/bin/python3 -c "{SHOW_STAT}"').splitlines()]
        return {row[0]: int(row[7]) for row in rows
                if len(row) > 7 and row[1] == "BACKEND"}
