#!/usr/bin/env bash
# Prints the machine's journal. Not compressed, so that a report can link into it.
set -euo pipefail
journalctl --no-pager --output short-iso-precise
