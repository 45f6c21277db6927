#!/usr/bin/env bash
# Says whether a port of an address takes a connection within two seconds.
# shellcheck disable=SC2016 # for the inner shell
if timeout 2 bash -c 'exec 3<> "/dev/tcp/$0/$1"' "$1" "$2" 2> /dev/null; then echo reached; else echo not reached; fi
