#!/usr/bin/env bash
# Builds the Debian package.
#
#   deploy/package.sh        target/debian/threadbare_VERSION-1_ARCHITECTURE.deb, and its sha256
#
# The program with `--etag content` and `--tls`, which need more crates than the default build, with its manual page, completions for bash, zsh and
# fish, the units of systemd, and what [package.metadata.deb] in Cargo.toml names besides. The same source and compiler give the same bytes,
# wherever the source lies and whenever it is built (docs/guide/releasing.md). DEBFULLNAME and DEBEMAIL name the maintainer, as for all
# Debian tools.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "package.sh: $*" >&2; }
for tool in cargo gzip ldd dpkg-shlibdeps; do
    command -v "$tool" >/dev/null || { say "no $tool here; dpkg-shlibdeps is in Debian's dpkg-dev"; exit 2; }
done
version=$(cargo pkgid --locked | sed 's/.*[#@]//')
released=$(sed -n "s/^## $version - \([0-9-]*\)$/\1/p" CHANGELOG.md)
[ -n "$released" ] || { say "CHANGELOG.md has no heading '## $version - YEAR-MONTH-DAY'"; exit 1; }
# All times in the package are the day of the release.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(date --utc --date "$released" +%s)}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC

made=$PWD/target/deb
mkdir -p "$made"
# The program must not contain the paths of the build directory and of the sources of its dependencies.
home=${CARGO_HOME:-$HOME/.cargo}
command -v cargo-deb >/dev/null || CARGO_TARGET_DIR=$made/cargo-deb cargo install --locked cargo-deb
CARGO_ENCODED_RUSTFLAGS=$(printf -- '--remap-path-prefix=%s=/threadbare\x1f--remap-path-prefix=%s=/cargo' "$PWD" "$home")
export CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_DIR=$made/build

cargo build --locked --release --features content-hash,tls --bin threadbare
# The manual page, and completions for bash (threadbare.bash), zsh (_threadbare) and fish (threadbare.fish).
cargo run --quiet --locked --features content-hash,tls --example generate -- "$made"
gzip -fn9 "$made/threadbare.1"
gzip -n9 <README.md >"$made/README.md.gz"
gzip -n9 <CHANGELOG.md >"$made/changelog.gz"
maintainer="${DEBFULLNAME:-the threadbare authors} <${DEBEMAIL:-threadbare@packages.invalid}>"
gzip -n9 >"$made/changelog.Debian.gz" <<END
threadbare ($version-1) unstable; urgency=medium

  * Version $version, which /usr/share/doc/threadbare/changelog.gz describes.

 -- $maintainer  $(date --utc --date "@$SOURCE_DATE_EPOCH" --rfc-email)
END

umask 022
cargo deb --locked --no-build --quiet --maintainer "$maintainer" --output target/debian/
sha256sum "target/debian/threadbare_$version-1_$(dpkg --print-architecture).deb"
