"""Sessions of psycopg2 from the applications' host, kept as tests need."""

import psycopg2
from patroute_lab import config as made
from patroute_lab import hosts


def session(lab, address, port=5432, user=made.SUPERUSER, timeout=10):
    """A new one; each statement is a transaction of its own."""
    with lab.inside(hosts.CLIENT):
        found = psycopg2.connect(
            host=address, port=port, user=user, password=made.PASSWORD,
            dbname="postgres", connect_timeout=timeout)
    found.autocommit = True
    return found


def ask(kept, query):
    """The one value of an answer."""
    with kept.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
