"""systemd and supervisord behind one protocol."""
