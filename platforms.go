package archbuild

import (
	"cmp"

	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
)

// choosePlatforms finds what to build for, and says where that came from: the
// flag, else archbuild.yaml, else DOCKER_DEFAULT_PLATFORM, else this machine.
func (o Options) choosePlatforms(configured []platform.Platform, host platform.Platform) ([]platform.Platform, string, error) {
	if len(o.Platforms) > 0 {
		from := cmp.Or(o.platformsFrom, "--platform")
		list, err := outside.ParsePlatforms(from, o.Platforms, host)
		return list, from, err
	}
	if len(configured) > 0 {
		return configured, "archbuild.yaml", nil
	}
	if value := o.Getenv("DOCKER_DEFAULT_PLATFORM"); value != "" {
		list, err := outside.ParsePlatforms("DOCKER_DEFAULT_PLATFORM", []string{value}, host)
		return list, "DOCKER_DEFAULT_PLATFORM", err
	}
	return []platform.Platform{host}, "this machine", nil
}
