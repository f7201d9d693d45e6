"""A client that asks a port again and again, in a thread of its own."""

import threading
import time

from patroute_lab.errors import LabError


class Client(threading.Thread):
    """Each time by a new connection; every answer has to be true."""

    def __init__(self, lab, port, sql):
        super().__init__(daemon=True)
        self.lab, self.port, self.sql = lab, port, sql
        self.answers, self.failed, self.going = [], [], True
        self.start()

    def run(self):
        while self.going:
            try:
                self.answers.append(self.lab.psql(self.port, self.sql))
            except LabError as why:
                self.failed.append(str(why))
            time.sleep(0.05)

    def end(self):
        """Stops it: nothing failed, nothing was led astray."""
        self.going = False
        self.join()
        assert self.failed == [] and set(self.answers) == {"t"}
