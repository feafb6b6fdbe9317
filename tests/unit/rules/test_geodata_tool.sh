#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/geodata with files instead of the network: what is good is swapped in and
# the last one kept; what is not leaves everything as it was.
#   test_geodata_tool.sh TOOL COUNTRY.mmdb OTHER.mmdb
set -eu

tool=$1 first=$2 second=$3
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
dir=$here/data

fail() {
	echo "failed: $*" >&2
	exit 1
}

same() {
	cmp -s "$1" "$2" || fail "$1 is not $2"
}

# In order: what is asked, and the files that must be there afterwards.
"$tool" --dir "$dir" --from "$first" >/dev/null
same "$dir/country.mmdb" "$first"
[ ! -e "$dir/country.mmdb.previous" ] || fail "something was there before"

gzip -c "$second" >"$here/db.mmdb.gz"
"$tool" --dir "$dir" --from "$here/db.mmdb.gz" >/dev/null
same "$dir/country.mmdb" "$second"
same "$dir/country.mmdb.previous" "$first"

mkdir "$here/package"
cp "$second" "$here/package/a-ipv4.mmdb"
cp "$first" "$here/package/a.mmdb"
tar -C "$here" -czf "$here/a.tgz" package
"$tool" --dir "$dir" --from "$here/a.tgz" >/dev/null
same "$dir/country.mmdb" "$first"
same "$dir/country.mmdb.previous" "$second"

: >"$here/empty"
echo 'not a database' >"$here/text"
head -c 200 "$first" >"$here/cut"
gzip -c "$first" | head -c 100 >"$here/cut.gz"
tar -C "$here" -czf "$here/none.tgz" text
for bad in empty text cut cut.gz none.tgz missing; do
	"$tool" --dir "$dir" --from "$here/$bad" >/dev/null 2>"$here/said" &&
		fail "$bad was taken"
	grep -q '^geodata: ' "$here/said" || fail "$bad: $(cat "$here/said")"
	same "$dir/country.mmdb" "$first"
	same "$dir/country.mmdb.previous" "$second"
done

printf '\012\006\012\004TEST' >"$here/site"
"$tool" --dir "$dir" --from "$here/site" geosite >/dev/null
same "$dir/geosite.dat" "$here/site"
printf '\012\007\012\004TEST' >"$here/lying"
"$tool" --dir "$dir" --from "$here/lying" geosite >/dev/null 2>&1 && fail "lying was taken"
same "$dir/geosite.dat" "$here/site"

r=0
"$tool" geosite >/dev/null 2>&1 || r=$?
[ "$r" = 2 ] || fail "geosite without --from is $r"
r=0
"$tool" --nonsense >/dev/null 2>&1 || r=$?
[ "$r" = 2 ] || fail "an unknown option is $r"
"$tool" --help | grep -q -- --from || fail "no help"

left=$(find "$dir" -name '.*' -type f)
[ -z "$left" ] || fail "left behind: $left"
echo "all as it should be"
