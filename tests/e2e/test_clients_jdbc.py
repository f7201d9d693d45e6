"""pgJDBC with its default settings, and its query timeout. By hand: it needs
libpostgresql-jdbc-java and a JDK, which are dear to install."""

import os

from patroute_lab import hosts

JAR = "/usr/share/java/postgresql.jar"
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      "Jdbc.java")
CANCELLED = "ERROR: canceling statement due to user request"


def test_jdbc(lab):
    """It asks for TLS first, too; a timeout's cancel finds its replica."""
    leader = lab.host(lab.leader()).address
    url = f"jdbc:postgresql://{hosts.VIP}"
    urls = [f"{url}:5000/postgres", f"{url}:5001/postgres",
            f"{url}:5001/postgres", f"{url}:5002/postgres",
            f"{url}:5002/postgres?sslmode=disable&options=-c%20"
            "patroute.target=primary"]
    done = lab.exec(hosts.CLIENT, ["java", "-cp", JAR, SOURCE, *urls],
                    timeout=120)
    lines = [line.rsplit("|", 1) for line in done.stdout.splitlines()]
    assert len(lines) == 5 and all(said == CANCELLED for _, said in lines)
    who = [each for each, _ in lines]
    assert who[0] == who[4] == f"{leader}|f"
    assert all(each.endswith("|t") for each in who[1:4])
    assert len({who[1], who[2]}) == 2          # both replicas
