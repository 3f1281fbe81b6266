# The hostile apps: each beside good ones on a daemon of its own, then all at once.

CHAOS_TIME ?= 2m

.PHONY: chaos
chaos: generate ## every hostile app, each alone and all at once for CHAOS_TIME
	$(GO) test -count 1 -timeout 40m -tags chaos -v ./chaos -each -all $(CHAOS_TIME)
