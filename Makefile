# A front door: what people type first. The work is done by script/ and Meson.

help:	## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

build:	## build/adit, with all that is needed to build it
	@script/build

test:	## all tests and checks
	@script/test

asan:	## the unit tests under AddressSanitizer and UBSan
	@script/sanitize address,undefined

lint:	## the checks without the tests, and the static analysers
	@script/test lint
	@script/check/tidy
	@script/check/cppcheck

bench:	## speed and size beside the peers
	@bench/run --out docs/benchmarks

.PHONY: help build test asan lint bench
