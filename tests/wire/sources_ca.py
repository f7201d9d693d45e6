"""A test CA of one's own."""
import datetime
import pathlib
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization


class Ca:
    """A test CA, made by openssl."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.path = f"{folder}/{name}.pem"
        self.run("req", "-x509", *self.new(name), "-subj", f"/CN={name}",
                 "-days", "2", "-out", self.path)

    def new(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-keyout", f"{self.folder}/{name}.key"]

    def run(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True,
                       cwd=self.folder)

    def expired(self, name, alt):
        """One whose time is over; by hand, for not each openssl makes it."""
        cert, key = self.issue(name, alt)
        was = x509.load_pem_x509_certificate(pathlib.Path(cert).read_bytes())
        signer = serialization.load_pem_private_key(
            pathlib.Path(self.folder, f"{self.name}.key").read_bytes(), None)
        ago = datetime.datetime(2020, 1, 1)
        new = x509.CertificateBuilder(
            was.issuer, was.subject, was.public_key(), was.serial_number, ago,
            ago + datetime.timedelta(days=1), list(was.extensions))
        pathlib.Path(cert).write_bytes(
            new.sign(signer, hashes.SHA256()).public_bytes(
                serialization.Encoding.PEM))
        return cert, key

    def issue(self, name, alt, subject="/O=test"):
        """(certificate, key)"""
        base = f"{self.folder}/{name}"
        pathlib.Path(base + ".ext").write_text(
            f"subjectAltName={alt}\n"
            "extendedKeyUsage=serverAuth,clientAuth\n")
        self.run("req", *self.new(name), "-subj", subject,
                 "-out", base + ".csr")
        self.run("x509", "-req", "-in", base + ".csr", "-CA", self.path,
                 "-CAkey", f"{self.folder}/{self.name}.key",
                 "-CAcreateserial", "-days", "2", "-extfile", base + ".ext",
                 "-out", base + ".pem")
        return base + ".pem", base + ".key"
