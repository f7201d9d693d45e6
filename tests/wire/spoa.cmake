# patroute-spoa against scripted peers, and behind a real HAProxy.
patroute_pytest(wire_spoa_haproxy wire 300 spoa_haproxy.py)
