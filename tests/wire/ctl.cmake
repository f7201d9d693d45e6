# patroutectl against a real HAProxy and stub members.
patroute_pytest(wire_ctl_render wire 300 ctl_render.py)
