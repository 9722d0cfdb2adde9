#!/bin/sh
# rocket-ci tells Rocket what the pipeline did, and asks it: sh scripts/ci/rocket.sh COMMAND ... (docs/delivery.md)
#
# ROCKET_URL          Rocket's backend; without it nothing is told, which is no mistake
# ROCKET_CLI_PACKAGE  what is run: a version of the package, the path or address of its tarball, or its one .js file
set -eu

if [ -z "${ROCKET_URL:-}" ]; then
  echo 'ROCKET_URL is not set: Rocket is not told.'
  exit 0
fi
package=${ROCKET_CLI_PACKAGE:-@rocket/cli@0.1.0}
# Pushes wait here while Rocket is away.
export ROCKET_QUEUE="${ROCKET_QUEUE:-ci-out/rocket-queue.ndjson}"
mkdir -p ci-out

case $package in
  *.js) exec node "$package" "$@" ;;
  # It has no dependencies and no install scripts; none may run.
  *) exec env npm_config_ignore_scripts=true npm_config_update_notifier=false npx --yes --package "$package" -- rocket-ci "$@" ;;
esac
