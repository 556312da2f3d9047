# Packages: Debian's, installed with apt when missing; test programs of both architectures, unpacked aside.

.PHONY: deps deps-all
deps:
	@tools/deps tests/packages $(DEBS)
# With what only check-all needs.
deps-all: deps
	@tools/deps tests/packages $(DEBS) more
