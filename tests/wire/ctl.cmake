# patroutectl with a real prober and a real etcd.
patroute_pytest(wire_ctl wire 120 ctl_prober.py)
