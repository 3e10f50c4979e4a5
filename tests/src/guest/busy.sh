#!/bin/sh
# busy on | busy off: one loop that takes all of a processor, at most one at a time.
# As a CGI program: /cgi-bin/busy?on
word=${1:-$QUERY_STRING}
[ -n "$GATEWAY_INTERFACE" ] && printf 'Content-Type: text/plain\r\n\r\n'
pid=$(cat /run/busy 2>/dev/null)
case $word in
on)
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || {
        setsid sh -c 'while :; do :; done' </dev/null >/dev/null 2>&1 &
        echo $! >/run/busy
    }
    ;;
off)
    [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null
    rm -f /run/busy
    ;;
esac
echo "busy $word"
echo "OPSHAWK GUEST BUSY $word" >/dev/console
