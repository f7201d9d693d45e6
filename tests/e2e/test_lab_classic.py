"""The classic configuration: valid in each of its forms, and what it says
of itself when it runs."""

import csv
import io
import os
import subprocess

import pytest

CLASSIC = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "haproxy", "classic.cfg")
TIMINGS = {"stock": ("3", "2"), "tuned": ("2", "1")}      # fall, rise


def check(files, **variables):
    argv = ["haproxy", "-c"]
    for file in files:
        argv += ["-f", str(file)]
    return subprocess.run(
        argv, env={"PATH": os.environ["PATH"], **variables},
        capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("checks", TIMINGS)
def test_valid_without_a_warning(checks):
    done = check([CLASSIC], CLASSIC_CHECKS=checks,
                 CLASSIC_STATS_PASSWORD="p")
    assert done.returncode == 0
    assert "WARNING" not in done.stderr and "ALERT" not in done.stderr


def test_no_password_is_said_and_no_default():
    done = check([CLASSIC])
    assert done.returncode != 0
    assert "CLASSIC_STATS_PASSWORD is not set" in done.stderr


OTHER = """
global
    stats socket /run/haproxy/second.sock mode 660 level admin
    log stdout local0
"""


@pytest.fixture
def beside(lab, tmp_path, wait_until):
    """Another HAProxy on app1, with classic.cfg as its second file."""
    other = tmp_path / "other.cfg"
    other.write_text(OTHER)
    variables = {"CLASSIC_BESIDE": "1", "CLASSIC_WRITE_PORT": "5100",
                 "CLASSIC_READ_PORT": "5101", "CLASSIC_ANY_PORT": "5102",
                 "CLASSIC_CHECKS": "stock"}
    assert check([other, CLASSIC], **variables).returncode == 0
    argv = ["env"] + [f"{k}={v}" for k, v in variables.items()] + [
        "haproxy", "-db", "-f", str(other), "-f", CLASSIC]
    with subprocess.Popen(lab.command("app1", argv),
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as child:
        socket = f"/proc/{lab.machine('app1').init}/root" \
            "/run/haproxy/second.sock"
        wait_until("second HAProxy", 10, lambda: os.path.exists(socket))
        yield "/run/haproxy/second.sock"
        child.terminate()
        child.wait(10)


def servers(lab, host, socket):
    """show stat, as {(backend, server): row}."""
    ask = ("import socket,sys\n"
           "s = socket.socket(socket.AF_UNIX)\n"
           f"s.connect('{socket}')\n"
           "s.sendall(b'show stat\\n')\n"
           "sys.stdout.write(s.makefile().read())\n")
    text = lab.exec(host, ["/usr/bin/python3", "-c", ask]).stdout
    rows = csv.DictReader(io.StringIO(text.lstrip("# ")))
    return {(row["# pxname" if "# pxname" in row else "pxname"],
             row["svname"]): row for row in rows}


def test_beside_another_file_on_other_ports(lab, beside, wait_until):
    rows = servers(lab, "app1", beside)
    assert {name for name, _ in rows} == {
        "classic_write", "classic_read", "classic_any"}

    def asked(port):
        done = lab.exec("app1", [
            "env", "PGPASSWORD=p", "psql", "-h", "127.0.0.1", "-p", port,
            "-U", "postgres", "-Atc", "SELECT pg_is_in_recovery()"],
            check=False)
        return done.stdout.strip()
    for port, answer in (("5100", "f"), ("5101", "t")):
        wait_until(f"port {port}", 20, lambda p=port, a=answer: all(
            asked(p) == a for _ in range(4)))


def test_the_timings_asked_for_are_those_it_has(lab, beside):
    for host, socket, checks in (
            ("hap1", "/run/haproxy/admin.sock", lab.settings["checks"]),
            ("app1", beside, "stock")):
        rows = servers(lab, host, socket)
        found = {(row["check_fall"], row["check_rise"])
                 for (name, server), row in rows.items()
                 if name.startswith("classic_")
                 and server.startswith("dc1-")}
        assert found == {TIMINGS[checks]}


def test_servers_are_named_as_hosts_and_the_leader_is_up(lab):
    rows = servers(lab, "hap1", "/run/haproxy/admin.sock")
    up = {server for (name, server), row in rows.items()
          if name == "classic_write" and server.startswith("dc1-")
          and row["status"].startswith("UP")}
    assert up == {lab.leader()}


def test_stats_page_asks_for_the_password(lab):
    def code(*more):
        return lab.exec("app1", [
            "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *more,
            "http://192.168.34.85:7000/"]).stdout
    assert code() == "401"
    assert code("-u", "admin:wrong") == "401"
    assert code("-u", "admin:p") == "200"
