#!/usr/bin/env bash
# Says what became of what prepare.sh made.
folder=/var/lib/quorate-contract
echo "kept=$(cat "$folder/kept" 2> /dev/null || echo gone)"
if [[ -e $folder/stopped-in-order ]]; then echo order=yes; else echo order=no; fi
if [[ -e /run/quorate-contract ]]; then echo boot=same; else echo boot=new; fi
