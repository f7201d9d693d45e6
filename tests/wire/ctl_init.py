"""
patroutectl init: an etcd that has users, and one of the old API.
"""
import contextlib
import http.client
import os
import pwd
import subprocess
import urllib.parse

from ctl_prober import ctl
from prober_control import v2_etcd
from prober_lib import (PROBER, cluster, folder, own_cluster, shared_cluster,
                        wait_until)
from wire_lib import USER, VALGRIND

__all__ = ["cluster", "folder", "own_cluster", "shared_cluster"]


def is_sound(conf):
    """Whether the prober takes it."""
    return subprocess.run([*VALGRIND, str(PROBER), "--check", "-c", str(conf)],
                          check=False).returncode == 0


def with_users(etcd, prefix):
    """Users root, and prober, who may read what is below the prefix."""
    def ctl3(*args):
        subprocess.run(
            ["etcdctl", "--endpoints", f"http://127.0.0.1:{etcd.port}", *args],
            env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"}, check=True,
            capture_output=True)
    ctl3("user", "add", "root:secret")
    ctl3("user", "grant-role", "root", "root")
    ctl3("role", "add", "reads")
    ctl3("role", "grant-permission", "reads", "--prefix=true", "read", prefix)
    ctl3("user", "add", "prober:p:w\"\\")
    ctl3("user", "grant-role", "prober", "reads")
    ctl3("auth", "enable")


def secret_of(folder, text):
    """A file that its owner alone can read."""
    path = folder / "etcd.auth"
    path.write_text(text)
    os.chown(path, pwd.getpwnam(USER).pw_uid, -1)
    path.chmod(0o400)
    return path


def test_a_etcd_with_users(folder, own_cluster):
    """Without a user it says which word is missing; a user of one cluster
    needs its name; what was made has the file, and never what is in it."""
    etcd, made = own_cluster.etcd, folder / "made.conf"
    with_users(etcd, "/service/main/")
    ask = ("init", "--from", f"http://127.0.0.1:{etcd.port}")
    rc, _, err = ctl(made, *ask)
    assert rc == 2 and "--etcd-auth FILE" in err, err
    secret = secret_of(folder, "prober:wrong")
    rc, _, err = ctl(made, *ask, "--etcd-auth", str(secret))
    assert rc == 2 and "refuses the user of --etcd-auth" in err, err
    secret.unlink()
    secret = secret_of(folder, "prober:p:w\"\\\n")
    rc, _, err = ctl(made, *ask, "--etcd-auth", str(secret))
    assert rc == 2 and "--scope NAME" in err, err
    rc, out, err = ctl(made, *ask, "--etcd-auth", str(secret), "--scope",
                       "main", "-o", str(made))
    assert rc == 0 and "1 cluster, 3 members" in out, (out, err)
    text = made.read_text()
    assert f'etcd_auth = "{secret}"' in text and "p:w" not in text
    assert "/patroute/main/" in text and is_sound(made)
    for bad in ("etcd.auth", "/a\"b", str(folder / "none")):
        rc, _, err = ctl(made, *ask, "--etcd-auth", bad)
        assert rc == 2 and "expected a file" in err, err


def test_a_etcd_by_the_old_api(folder, cluster, tmp_path):
    """Patroni's keys in v2 alone."""
    process, port = v2_etcd(tmp_path / "v2")

    def put(key, value):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
        with contextlib.closing(c), contextlib.suppress(OSError):
            c.request("PUT", f"/v2/keys/service/old/{key}",
                      "value=" + urllib.parse.quote(value),
                      {"Content-Type": "application/x-www-form-urlencoded"})
            return c.getresponse().status in (200, 201)
        return False
    made = folder / "made.conf"
    try:
        wait_until(lambda: put("initialize", "7"), "etcd", 20)
        for m in cluster.member.values():
            assert put(f"members/{m.name}", m.key())
        rc, out, err = ctl(made, "init", "--from", f"127.0.0.1:{port}", "-o",
                           str(made))
    finally:
        process.kill()
        process.wait()
    assert rc == 0 and "1 cluster, 3 members" in out, (out, err)
    assert 'etcd_api = "v2"' in made.read_text() and is_sound(made)
