package archbuild

import _ "embed"

//go:embed archbuild.mk
var makeInclude string

// MakeInclude is archbuild.mk: images as targets of GNU make. docs/make.md tells of it.
func MakeInclude() string { return makeInclude }
