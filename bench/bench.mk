# Speed, side by side with what one would build instead of NANO. Peers that are
# missing are left out: deno and workerd come from npm, nginx, caddy and nodejs
# from the distribution.

.PHONY: bench
bench: build bench/node_modules ## docs/benchmarks.md and .svg, anew (BENCH="-only hello -rounds 3": less)
	$(GO) run ./bench $(BENCH)

.PHONY: bench-short
bench-short: build bench/node_modules ## every workload and stack for a moment: answers, not figures
	$(GO) run ./bench -short $(BENCH)

.PHONY: bench-hostile
bench-hostile: build bench/node_modules ## docs/hostile.md, anew: what bombs do to NANO and the others (BENCH="-only cpu-loop": less)
	$(GO) run ./bench hostile $(BENCH)

bench/node_modules: bench/package.json bench/package-lock.json
	cd bench && npm ci --no-audit --no-fund
	@touch $@
