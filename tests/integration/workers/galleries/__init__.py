"""Small pictures that workers make because somebody opens one."""
