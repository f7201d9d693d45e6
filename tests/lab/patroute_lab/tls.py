"""TLS everywhere (tls=on): the lab's own authority, and a certificate for
each host, which it shows as a server and as a client alike."""

import os
import shutil
import ssl
import subprocess

from . import accounts
from .errors import LabError
from .state import write

INSIDE = "/run/patroute-host/etc/tls"
CA, CERT, KEY = f"{INSIDE}/ca.pem", f"{INSIDE}/cert.pem", f"{INSIDE}/key.pem"
BOTH = f"{INSIDE}/both.pem"     # certificate and key, as HAProxy reads them
OWNERS = {"etcd": "etcd", "node": "postgres", "hap": accounts.USER_ID}


def is_on(settings):
    """Whether this lab speaks TLS everywhere."""
    return settings.get("tls") == "on"


def scheme(settings):
    """Of etcd's and Patroni's addresses."""
    return "https" if is_on(settings) else "http"


def _folder(lab, host):
    return lab.paths.host(host, "etc/tls")


def _openssl(*argv):
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "30", *argv],
        capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise LabError("openssl req", done.stderr.strip())


def _authority(lab):
    ca = os.path.join(lab.paths.state, "ca.pem")
    key = os.path.join(lab.paths.state, "ca.key")
    if not os.path.exists(ca):
        _openssl("-subj", "/O=lab/CN=authority", "-keyout", key, "-out",
                 f"{ca}.new", "-addext", "keyUsage=critical,keyCertSign")
        os.replace(f"{ca}.new", ca)
    return ca, key


def prepare(lab, host):
    """The host's certificate, unless it has one."""
    folder = _folder(lab, host)
    if not is_on(lab.settings) or os.path.exists(f"{folder}/both.pem"):
        return
    os.makedirs(folder, exist_ok=True)
    ca, ca_key = _authority(lab)
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    # No common name: etcd's gateway refuses one where etcd has users.
    _openssl("-CA", ca, "-CAkey", ca_key, "-subj", f"/O={host.name}",
             "-keyout", key, "-out", cert, "-addext",
             "basicConstraints=critical,CA:FALSE", "-addext",
             "extendedKeyUsage=serverAuth,clientAuth", "-addext",
             f"subjectAltName=IP:{host.address},IP:127.0.0.1,"
             f"DNS:{host.name},DNS:localhost")
    shutil.copy(ca, f"{folder}/ca.pem")
    shutil.chown(key, OWNERS.get(host.role, "root"))
    both = ""
    for path in (cert, key):
        with open(path, encoding="utf-8") as file:
            both += file.read()
    write(f"{folder}/both.pem", both, 0o600)


def context(lab, host):
    """What the lab itself asks that host with; None without TLS."""
    if not is_on(lab.settings):
        return None
    folder = _folder(lab, host)
    found = ssl.create_default_context(cafile=f"{folder}/ca.pem")
    found.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    return found


def etcd_argv():
    """What etcd's command line has besides."""
    return [word for kind in ("", "peer-") for word in (
        f"--{kind}cert-file", CERT, f"--{kind}key-file", KEY,
        f"--{kind}trusted-ca-file", CA, f"--{kind}client-cert-auth")]


def etcdctl_env():
    """What etcdctl finds in its environment."""
    return {"ETCDCTL_CACERT": CA, "ETCDCTL_CERT": CERT, "ETCDCTL_KEY": KEY}


def patroni_dcs():
    """Patroni's way to etcd."""
    return {"protocol": "https", "cacert": CA, "cert": CERT, "key": KEY}


def patroni(whole):
    """Patroni's configuration, with TLS for its REST API, its PostgreSQL
    and what it asks of others."""
    whole["restapi"].update(certfile=CERT, keyfile=KEY, cafile=CA,
                            verify_client="required")
    whole["ctl"] = {"cacert": CA, "certfile": CERT, "keyfile": KEY}
    pg = whole["postgresql"]
    pg["parameters"] = {"ssl": "on", "ssl_cert_file": CERT,
                        "ssl_key_file": KEY, "ssl_ca_file": CA}
    pg["pg_hba"] = [f"hostssl{line[4:]}" if line.startswith("host ")
                    else line for line in pg["pg_hba"]]
    for each in pg["authentication"].values():
        each.update(sslmode="verify-full", sslrootcert=CA)
    return whole


def patroute():
    """The keys of a cluster in patroute.conf."""
    return {"etcd_ca": CA, "etcd_cert": CERT, "etcd_key": KEY,
            "rest_ca": CA, "rest_cert": CERT, "rest_key": KEY,
            "probe_sslmode": "verify-full", "probe_sslrootcert": CA}


def haproxy(text):
    """A product's file whose checks of Patroni show a certificate."""
    check = "check port 8008 "
    assert check in text, "no check of Patroni to fit"
    return text.replace(check, f"{check}check-ssl verify required "
                        f"ca-file {CA} crt {BOTH} ")
