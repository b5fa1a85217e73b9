// Package platform names the machines that images are made for.
//
// One architecture has many names. This table is the ground every other
// package stands on; Names gives its cells to code.
//
//	OCI platform    official prefix  Debian    uname -m     Alpine       ELF machine/bits/order
//	linux/amd64     amd64            amd64     x86_64       x86_64       62/64/little
//	linux/386       i386             i386      i686         x86          3/32/little
//	linux/arm64     arm64v8          arm64     aarch64      aarch64      183/64/little
//	linux/arm/v7    arm32v7          armhf     armv7l       armv7        40/32/little
//	linux/arm/v6    arm32v6          -         armv6l       armhf        40/32/little
//	linux/arm/v5    arm32v5          armel     armv5tel     -            40/32/little
//	linux/ppc64le   ppc64le          ppc64el   ppc64le      ppc64le      21/64/little
//	linux/s390x     s390x            s390x     s390x        s390x        22/64/big
//	linux/riscv64   riscv64          riscv64   riscv64      riscv64      243/64/little
//	linux/mips64le  mips64le         mips64el  mips64       -            8/64/little
//	linux/loong64   loong64          loong64   loongarch64  loongarch64  258/64/little
//	windows/amd64   winamd64         -         -            -            PE 0x8664
//
// Normal form is containerd/platforms': linux/arm means arm/v7, arm64/v8 means
// arm64. Every spelling is read, one is printed.
package platform
