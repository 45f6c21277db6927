#!/usr/bin/env bash
# Prints the machine's journal. Neither compressed nor called a log, so that browsers show it and links can lead into it.
set -euo pipefail
journalctl --no-pager --output short-iso-precise
