# patroutectl against a real HAProxy and stub members.
patroute_pytest(wire_ctl_render wire 300 ctl_render.py)
# With a real prober and a real etcd.
patroute_pytest(wire_ctl wire 240 ctl_prober.py)
patroute_pytest(wire_ctl_init wire 120 ctl_init.py)
