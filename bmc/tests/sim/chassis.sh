#!/bin/sh
# The server that the simulated BMC controls: its power is a file. Called by ipmi_sim as
# `chassis.sh DIR DEVICE get|set NAME [VALUE] ...`.
dir=$1
operation=$3
shift 3
while [ $# -gt 0 ]; do
    case $operation.$1 in
    get.power) echo "power:$(cat "$dir/power")" ;;
    get.boot) echo "boot:default" ;;
    set.*)
        echo "$1 $2" >>"$dir/orders"
        [ "$1" = power ] && echo "$2" >"$dir/power.new" && mv "$dir/power.new" "$dir/power"
        [ "$1" = shutdown ] && echo 0 >"$dir/power"
        shift
        ;;
    *) exit 1 ;;
    esac
    shift
done
exit 0
