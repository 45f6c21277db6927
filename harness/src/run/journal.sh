#!/usr/bin/env bash
# Prints the machine's journal, compressed.
set -euo pipefail
journalctl --no-pager --output short-iso-precise | gzip -1
