# shellcheck shell=bash
# Installs Debian packages by name, for the scripts beside this file. Sourced, not run.

# install_packages NAME...: installs those of the packages that are missing.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    local privileged=()
    if [[ $(id -u) -ne 0 ]]; then
        if ! command -v sudo >/dev/null; then
            echo "These Debian packages are missing: ${missing[*]}" >&2
            echo "Install them as root (apt-get install ${missing[*]}) and run this again." >&2
            return 1
        fi
        privileged=(sudo)
    fi
    echo "Installing Debian packages: ${missing[*]}" >&2
    local log
    log=$(mktemp)
    if ! { "${privileged[@]}" apt-get update && "${privileged[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# What the Swift toolchain needs from Debian 12 to compile and link this package.
# shellcheck disable=SC2034  # Used by the scripts that source this file.
build_packages=(librocksdb-dev libxml2-dev zlib1g-dev libstdc++-12-dev libc6-dev binutils git)

require_swift() {
    command -v swift >/dev/null && return 0
    echo "Swift 6.3 is missing: install the toolchain for Debian 12 and put its usr/bin into PATH." >&2
    return 1
}

# build_quietly ARGUMENT...: `swift build` with the arguments, showing how far it is; its output only when it fails.
build_quietly() {
    local log status=0
    log=$(mktemp)
    if [[ -t 2 ]]; then
        swift build "$@" 2>&1 | tee "$log" | while IFS= read -r line; do
            printf '\r\033[K%.100s' "$line" >&2
        done || status=$?
        printf '\r\033[K' >&2
    else
        swift build "$@" >"$log" 2>&1 || status=$?
    fi
    if ((status)); then cat "$log" >&2; fi
    rm -f "$log"
    return "$status"
}
