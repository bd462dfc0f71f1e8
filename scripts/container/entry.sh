#!/bin/sh
# The entry point of the image. START_MODE says what this container is:
#   HA_INIT  a controller host that prepares the database first, which can be repeated without harm
#   HA       a controller host
#   AGENT    a worker host
# With arguments it runs `understudy` with them: docker run IMAGE status. The configuration comes from UNDERSTUDY_*
# variables, or from a file that UNDERSTUDY_CONFIG names. The process itself takes the place of this script, so
# that signals and exit codes mean what they say.
set -eu

if [ "$#" -gt 0 ]; then
  exec understudy "$@"
fi

case "${START_MODE:-}" in
HA_INIT)
  # A database that is started beside this container needs a moment.
  tries=0
  until understudy create; do
    code=$?
    tries=$((tries + 1))
    # 78: the configuration is wrong, and the next try would be, too.
    if [ "$code" = 78 ] || [ "$tries" -ge "${CREATE_TRIES:-30}" ]; then exit "$code"; fi
    sleep "${CREATE_PAUSE:-2}"
  done
  exec understudy start
  ;;
HA)
  exec understudy start
  ;;
AGENT)
  exec understudy agent
  ;;
*)
  echo "START_MODE holds \"${START_MODE:-}\"; expected HA_INIT, HA or AGENT" >&2
  exit 78
  ;;
esac
