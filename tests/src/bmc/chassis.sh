#!/bin/sh
# The power switch of a simulated server, as ipmi_sim calls it:
#   chassis.sh DIR get PARAMETER...  |  chassis.sh DIR set PARAMETER VALUE...
# `DIR/power` holds 0 or 1; `DIR/chassis.log` has each change, for the tests.
dir=$1 verb=$2
shift 2
case $verb in
get)
    for parameter; do
        case $parameter in
        power) echo "power:$(cat "$dir/power")" ;;
        boot) echo "boot:$(cat "$dir/boot" 2>/dev/null || echo default)" ;;
        *) echo "no such parameter: $parameter"; exit 1 ;;
        esac
    done
    ;;
set)
    while [ $# -ge 2 ]; do
        echo "$1 $2" >>"$dir/chassis.log"
        case $1 in
        power) echo "$2" >"$dir/power.new" && mv "$dir/power.new" "$dir/power" ;;
        boot) echo "$2" >"$dir/boot" ;;
        reset | identify) ;;
        *) echo "no such parameter: $1"; exit 1 ;;
        esac
        shift 2
    done
    ;;
*) exit 1 ;;
esac
