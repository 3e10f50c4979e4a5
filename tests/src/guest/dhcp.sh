#!/bin/sh
# udhcpc's hook: configures the interface with what the server leased.
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev "$interface"
ip addr add "$ip/${mask:-24}" dev "$interface"
[ -n "$router" ] && ip route replace default via "${router%% *}" dev "$interface"
[ "$1" = bound ] && echo "OPSHAWK GUEST ADDRESS $ip" >/dev/console
exit 0
