# Shared by ./run and the test scripts: messages and the installation of Debian packages.

# What the demo needs: compiler, libraries, PostgreSQL, Python for the process scripts.
SYNC_PACKAGES_DEMO=(gcc libc6-dev cmake ninja-build pkg-config librdkafka-dev libpq-dev libavro-dev libcurl4-openssl-dev
    libmicrohttpd-dev libjansson-dev libfyaml-dev libxxhash-dev uuid-dev libssl-dev libcmocka-dev
    postgresql-15 postgresql-client-15 python3 python3-psycopg2 procps git ca-certificates)
# What the tests need besides: clang with its runtimes, Java and Maven for Apache Kafka, tools of the lints.
SYNC_PACKAGES_TEST=("${SYNC_PACKAGES_DEMO[@]}" clang libclang-rt-14-dev clang-format llvm universal-ctags binutils patch
    openjdk-17-jre-headless maven curl jq)

say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*" >&2; }
die() {
    local code=$1
    shift
    printf 'run: %s\n' "$*" >&2
    exit "$code"
}

# Installs the packages that are missing, by name; says the one line to run where it may not.
install_packages() {
    local missing=() package sudo=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
            die 2 "packages are missing; run this as root, then try again:
  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
        fi
        sudo=(sudo)
    fi
    say "installing ${#missing[@]} packages: ${missing[*]}"
    mkdir -p build
    # A cluster of its own is made for each run; the one that the package would make is not wanted.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        "${sudo[@]}" mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    { "${sudo[@]}" apt-get update &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
        >build/install.log 2>&1 || { tail -5 build/install.log >&2; die 1 "installing packages failed: see build/install.log"; }
}
