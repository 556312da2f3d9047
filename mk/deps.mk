# Packages: Debian's, installed with apt when missing; test programs of both architectures, downloaded and unpacked.

.PHONY: deps
deps:
	@tools/deps tests/packages $(DEBS)
