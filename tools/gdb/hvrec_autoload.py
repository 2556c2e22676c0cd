"""Brings hvrec's gdb commands to whoever connects to `hvrec replay --gdb` with a gdb of his own. The Debian package puts
this file where gdb reads it at each start; until such a target is there it does nothing but look for it."""

import os

import gdb

COMMANDS = "/usr/share/hvrec/hvrec.py"

seen = {"connection": None}


def is_hvrec():
    try:
        return "back-to-replay" in gdb.execute("monitor help", to_string=True)
    except gdb.error:  # a target without monitor commands
        return False


def look():
    """At each prompt; asks each connection once."""
    connection = getattr(gdb.selected_inferior(), "connection", None)
    number = connection.num if connection else None
    if number == seen["connection"]:
        return
    seen["connection"] = number
    if connection and "remote" in connection.type and is_hvrec() and os.path.exists(COMMANDS):
        gdb.events.before_prompt.disconnect(look)
        gdb.execute(f"source {COMMANDS}")


gdb.events.before_prompt.connect(look)
