# SPDX-License-Identifier: Apache-2.0
# Sourced: packages of other Debian suites, downloaded and unpacked without touching the machine's own apt state.
# shellcheck shell=bash
# The caller sets apt_state, the folder for lists and caches.
: "${apt_state:?}"

# The machine's own Debian mirror if it has one, so that a private mirror keeps working.
mirror_of() { # $1: debian | debian-security
  local uri
  # shellcheck disable=SC2016  # apt expands it
  uri=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -E "/$1/?\$" | head -1 || true)
  echo "${uri:-${PYEBPF_DEBIAN_MIRROR:-http://deb.debian.org}/$1}"
}

suite_apt() { # $1: suite; then an apt tool and its arguments, on that suite's lists only
  local dir=$apt_state/$1 tool=$2
  shift 2
  "$tool" -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$dir/lists" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User=root \
    -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3 "$@"
}

prepare_suite() { # $1: suite; false if it cannot be read, the reason is in update.log
  local suite=$1 dir=$apt_state/$1 archive=debian
  case $suite in *-security) archive=debian-security ;; esac
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  : >"$dir/status"
  # Keys of suites past their support move to the second file.
  cat /usr/share/keyrings/debian-archive-keyring.gpg \
    /usr/share/keyrings/debian-archive-removed-keys.gpg >"$dir/keys.gpg" 2>/dev/null || true
  if [ ! -s "$dir/keys.gpg" ]; then
    echo "no Debian archive keys: apt-get install debian-archive-keyring" >"$dir/update.log"
    return 1
  fi
  echo "deb [signed-by=$dir/keys.gpg] $(mirror_of $archive) $suite main" >"$dir/sources.list"
  suite_apt "$suite" apt-get -qq --error-on=any update >"$dir/update.log" 2>&1
}

unpack_package() { # $1: suite, $2: package, $3: folder
  local work done=1
  work=$(mktemp -d "$apt_state/download.XXXXXX")
  if (cd "$work" && suite_apt "$1" apt-get -qq download "$2") >/dev/null 2>&1 && dpkg-deb -x "$work"/*.deb "$3"; then
    done=0
  fi
  rm -rf "$work"
  return $done
}
