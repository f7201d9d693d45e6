#!/bin/sh
# feed_later.sh FROM TO - the feed's messages with one counter more.
set -eu
mkdir -p "$2"
sed 's/uint64_t hold_recent_ms;/& uint64_t later;/' \
	"$1/feed_msg.h" >"$2/feed_msg.h"
sed -e 's/FIELD(hold_recent_ms, 1),/& FIELD(later, 1),/' \
	-e 's/(47 + 2/(48 + 2/' "$1/feed_msg.c" >"$2/feed_msg.c"
